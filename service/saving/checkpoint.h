/* Checkpoints: immutable maps from names to tensors. Saving and restoring copy references, never
 * bytes. */
#ifndef SERVICE_SAVING_CHECKPOINT_H
#define SERVICE_SAVING_CHECKPOINT_H

#include "service/record/record.h"
#include "service/service.h"
#include "service/tensor/corners.h"
#include "service/variable/tensor_set.h"
#include "service/variable/variable_write.h"
#include "store/base/arena.h"

struct run_report;

enum { CHECKPOINT_METADATA_BYTES_MAX = 1 << 20, CHECKPOINT_SHARD_MAX = 99998 };

/* --- saving -------------------------------------------------------------------------------- */

/* One tensor to save: `tensor` is its name in the checkpoint. */
struct checkpoint_pick {
    const char *tensor, *variable;
};

struct checkpoint_save_spec {
    const char *name; /* without the step */
    bool has_global_step;
    int64_t global_step;
    const char
        *global_step_variable; /* NULL: none; an integer scalar variable, read in the commit */
    const struct checkpoint_pick *picks; /* NULL: all of collection "variables" */
    size_t pick_count;
    const char *prefix; /* NULL: any; with picks NULL */
    bool overwrite;     /* an existing name is replaced; else ERR_ALREADY_EXISTS */
    bool allow_empty;
    /* Through a saver, which says all but name and step, and overwrites; NULL: none. */
    const char *saver;
};

struct checkpoint_info {
    char name[NAME_BYTES_MAX + 1];
    struct checkpoint_record record;
    bool replaced; /* by a save or import: one of that name was there before */
    bool has_usage;
    uint64_t unique_bytes; /* of what is stored for it: freed when it is deleted */
    uint64_t shared_bytes; /* other records name it, too */
};

/* --- looking ------------------------------------------------------------------------------- */

typedef enum err_code checkpoint_visit(void *context, const struct checkpoint_info *info,
                                       struct err *err);
/* Newest first, of those made before the one with id `before` (0: from the newest), which may be
 * gone. *revision: of the model's last change. `usage`: with what each takes, for which all lists
 * of chunks that they name are looked at; the revision is the store's then. */
ERR_MUST_CHECK enum err_code checkpoint_list(struct service *service, const char *model,
                                             uint64_t before, size_t count_max, bool usage,
                                             checkpoint_visit *visit, void *context, bool *more,
                                             uint64_t *revision, struct err *err);
/* The newest; of those saved through `saver` (NULL: of all). ERR_NOT_FOUND when there is none. */
ERR_MUST_CHECK enum err_code checkpoint_latest(struct service *service, const char *model,
                                               const char *saver, struct checkpoint_info *out,
                                               struct err *err);

struct checkpoint_tensor {
    struct bytes name; /* borrows for the visit */
    struct tensor_type type;
    uint64_t size;
    bool has_crc32c; /* false where it would take making every byte: a virtual value */
    uint32_t crc32c; /* of the bytes */
    uint64_t unique_bytes, shared_bytes; /* of what is stored: this name's alone, and the rest */
    struct partition partition;          /* of the variable it was saved from; count 0: none */
};
typedef enum err_code checkpoint_tensor_visit(void *context, const struct checkpoint_tensor *tensor,
                                              struct err *err);
/* The checkpoint, then its tensors in name order, with what each takes, and out->has_usage. What
 * two names of the checkpoint share, and nothing else has, is unique to it but to neither of them.
 * `metadata` (initialized by the caller) gets the imported pairs: name, value …, u32 length + bytes
 * each. */
ERR_MUST_CHECK enum err_code checkpoint_inspect(struct service *service, const char *model,
                                                const char *name, struct checkpoint_info *out,
                                                struct buf *metadata,
                                                checkpoint_tensor_visit *visit, void *context,
                                                struct err *err);
/* One tensor's value; `slice` and `cast_to` as variable_read. */
ERR_MUST_CHECK enum err_code checkpoint_read(struct service *service, const char *model,
                                             const char *name, const char *tensor,
                                             struct bytes slice, enum dtype cast_to, bool brief,
                                             struct tensor_set *out, struct err *err);
/* All of them. */
/* `outline`: as one (tensor_set.h), for whoever will want little of it. */
ERR_MUST_CHECK enum err_code checkpoint_read_some(struct service *service, const char *model,
                                                  const char *name, bool outline,
                                                  struct checkpoint_info *info,
                                                  struct buf *metadata, struct tensor_set *out,
                                                  struct err *err);
ERR_MUST_CHECK enum err_code checkpoint_read_all(struct service *service, const char *model,
                                                 const char *name, struct checkpoint_info *info,
                                                 struct buf *metadata, struct tensor_set *out,
                                                 struct err *err);

/* A tensor that is being looked at; for the visit. */
struct checkpoint_look {
    struct bytes name;
    struct tensor_type type;
    struct service *service; /* borrowed, like the rest */
    const struct store_view *view;
    const struct value_ref *value;
};
typedef enum err_code checkpoint_look_visit(void *context, const struct checkpoint_look *look,
                                            struct err *err);
/* The checkpoint, then its tensors in name order, or the one of that name (NULL: all). Nothing of
 * their values is read unless the visit asks for it. */
ERR_MUST_CHECK enum err_code checkpoint_look(struct service *service, const char *model,
                                             const char *name, const char *tensor,
                                             struct checkpoint_info *out,
                                             checkpoint_look_visit *visit, void *context,
                                             struct err *err);
/* Appends the elements that `corners` keeps, reading no others: of fixed size one after the other,
 * strings with their lengths. ERR_PAYLOAD_TOO_LARGE past the buffer's maximum. */
ERR_MUST_CHECK enum err_code checkpoint_look_read(const struct checkpoint_look *look,
                                                  const struct tensor_corners *corners,
                                                  struct buf *out, struct err *err);

/* --- restoring ----------------------------------------------------------------------------- */

enum restore_choice { RESTORE_ERROR, RESTORE_SKIP };

struct checkpoint_restore_spec {
    const char *source_model; /* NULL: the same model */
    const char *name;
    const struct checkpoint_pick
        *picks; /* NULL: every name of the checkpoint, through the prefix maps */
    size_t pick_count;
    const struct checkpoint_pick
        *prefix_map; /* tensor prefix -> variable prefix; of those that match the longest */
    size_t prefix_map_count;
    enum restore_choice on_missing, on_extra, on_mismatch;
    bool reshape, create, dry_run;
    /* Through a saver, whose names and `reshape` are taken instead; NULL: none. */
    const char *saver;
    bool latest; /* with a saver: its newest checkpoint, whatever `name` says */
};

/* Both sides of a mismatch. */
struct restore_sides {
    struct tensor_type variable, tensor;
    bool variable_shape_known; /* else it takes any */
    const char *reason;        /* in TensorFlow's words */
};

struct restore_name {
    const char *tensor; /* its name in the checkpoint; NULL: there is none */
    const char *variable;
    bool created;                      /* the variable was made for it */
    const struct restore_sides *sides; /* of a mismatch, else NULL */
};

/* What was found; texts and sides borrow from it. Owned: restore_report_drop.
 *   restored          what went, or would go, from a tensor into a variable
 *   missing           asked for, not in the checkpoint
 *   unexpected        in the checkpoint, and there is no such variable
 *   mismatched        dtype or shape
 *   not_in_checkpoint variables of the collection "variables" that no tensor is for; of a restore
 *                     of all names. To be told, never an error. */
struct restore_report {
    struct restore_list {
        struct restore_name *names;
        size_t count, capacity;
    } restored, missing, unexpected, mismatched, not_in_checkpoint;
    struct arena arena;
    const char *checkpoint; /* its name; NULL: a saver of nothing looked for none */
    uint64_t revision;
    struct err refused; /* of a dry run: why the restore itself would be refused, else OK */
};
void restore_report_drop(struct restore_report *report);

/* All or nothing. Strict by default; the report lists everything found also when the call fails,
 * except that it is empty when the restore could not be looked at: a variable named twice, no such
 * model or checkpoint, a condition that is not met. A dry run succeeds where only what it found
 * forbids the restore, and says so in `refused`. */
ERR_MUST_CHECK enum err_code checkpoint_restore(struct service *service, const char *model,
                                                const struct checkpoint_restore_spec *spec,
                                                const struct write_options *options,
                                                struct restore_report *out, struct err *err);

/* --- other --------------------------------------------------------------------------------- */

/* A checkpoint made of tensors that arrive, which keeps their order; names of any UTF-8. metadata:
 * pairs. */
struct checkpoint_import {
    struct bytes name;
    struct tensor_type type;
    uint64_t size;
    uint32_t shard;             /* of the file that it lies in; 0 where there is one */
    struct partition partition; /* that it lay in; count 0: none */
    struct bytes part_shards;   /* of each part; no bytes: all in `shard` */
};
ERR_MUST_CHECK enum err_code
checkpoint_import(struct service *service, const char *model, const char *name,
                  const struct checkpoint_import *imports, size_t count,
                  const struct bytes *metadata, size_t metadata_count,
                  const struct tensor_source *source, bool overwrite,
                  const struct write_options *options, struct checkpoint_info *out,
                  uint64_t *revision, struct err *err);
ERR_MUST_CHECK enum err_code checkpoint_delete(struct service *service, const char *model,
                                               const char *name,
                                               const struct write_options *options,
                                               uint64_t *revision, struct err *err);

/* Changes what is said about one: its pin (one that is pinned is never removed, nor replaced, but
 * with its model) and its labels. */
struct checkpoint_patch_spec {
    bool has_pinned, pinned;
    bool has_labels;
    const struct record_label *labels; /* in place of those there are */
    size_t label_count;
};
ERR_MUST_CHECK enum err_code
checkpoint_patch(struct service *service, const char *model, const char *name,
                 const struct checkpoint_patch_spec *spec, const struct write_options *options,
                 struct checkpoint_info *out, uint64_t *revision, struct err *err);

/* What a request says of the checkpoint's revision, where it changes nothing in the store. */
ERR_MUST_CHECK enum err_code checkpoint_check_conditions(const struct checkpoint_info *info,
                                                         const struct write_options *options,
                                                         struct err *err);

/* --- for service/ -------------------------------------------------------------------------- */

struct store_txn;
struct usage_change;
/* ERR_ALREADY_EXISTS naming it. */
enum err_code checkpoint_exists(const char *name, struct err *err);
/* ERR_FAILED_PRECONDITION when it may be neither deleted nor replaced. */
ERR_MUST_CHECK enum err_code checkpoint_check_unpinned(const char *name,
                                                       const struct checkpoint_record *record,
                                                       struct err *err);
/* Inside a unit: every tensor record of the checkpoint, its values and its metadata. Not the
 * checkpoint's own record. */
ERR_MUST_CHECK enum err_code
checkpoint_release(struct store_txn *txn, const struct checkpoint_record *record, struct err *err);
/* Inside a unit: it goes, pinned or not, with its place in its saver's list. Counted in *change. */
ERR_MUST_CHECK enum err_code checkpoint_remove(struct store_txn *txn, uint64_t model_id,
                                               const char *name,
                                               const struct checkpoint_record *record,
                                               struct usage_change *change, struct err *err);
/* Inside a unit: a new checkpoint of that name; an existing one goes when `overwrite`. *out is not
 * written yet: checkpoint_finish. */
ERR_MUST_CHECK enum err_code checkpoint_begin(struct store_txn *txn, uint64_t model_id,
                                              const char *name, bool overwrite,
                                              struct checkpoint_record *out,
                                              struct usage_change *change, struct err *err);
/* The tensors' positions are the order in which they are added; *value's shard counts. */
ERR_MUST_CHECK enum err_code checkpoint_add(struct store_txn *txn, struct checkpoint_record *record,
                                            struct bytes tensor, struct tensor_record *value,
                                            struct err *err);
ERR_MUST_CHECK enum err_code checkpoint_finish(struct store_txn *txn, uint64_t model_id,
                                               const char *name, struct checkpoint_record *record,
                                               struct usage_change *change, struct err *err);

#endif
