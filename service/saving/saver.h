/* Savers: which variables of a model are saved and restored under which names, and which of their
 * checkpoints are kept. TensorFlow's Saver as a thing of a model.
 *
 * A saver keeps a list of its last checkpoints, oldest first. Saving through it (a verb of runs)
 * and restoring through it (checkpoint.h) go by names; a checkpoint that is saved is put at the end
 * of the list and may push out the oldest, in the same commit (saver_keep.h). */
#ifndef SERVICE_SAVING_SAVER_H
#define SERVICE_SAVING_SAVER_H

#include "service/record/record.h"
#include "service/saving/checkpoint.h"
#include "service/service.h"
#include "store/base/buf.h"

enum {
    SAVERS_MAX = 1000,      /* of one model */
    SAVER_KEEP_DEFAULT = 5, /* TensorFlow's */
    SAVER_KEEP_MAX = 10000, /* more is said by 0: all are kept */
    SAVER_KEEP_HOURS_DEFAULT = 10000,
};

struct saver_settings {
    uint32_t max_to_keep;    /* 0: all, and the list stays as it is */
    double keep_every_hours; /* one of those pushed out stays for every so many */
    bool reshape, restore_sequentially, allow_empty, pad_step_number, sharded;
};
struct saver_settings saver_settings_default(void);

/* What is kept of one. */
struct saver_record {
    uint64_t id;
    uint64_t revision;          /* of the last change of anything here, of its list too */
    uint64_t settings_revision; /* of the last change of its settings or its variables */
    struct saver_settings settings;
    bool built;         /* false: which variables it saves is not decided yet */
    uint64_t variables; /* how many it saves */
    uint64_t created_ms, updated_ms, created_revision;
    uint64_t next_keep_ms;           /* what was saved later stays when it is pushed out */
    uint64_t listed;                 /* checkpoints in its list */
    uint64_t next_place;             /* for the next one; places begin at 1 */
    char latest[NAME_BYTES_MAX + 1]; /* saved last; "": none */
    uint64_t latest_id;              /* of that one, which may be gone */
};

/* --- making -------------------------------------------------------------------------------- */

/* Which settings a request states. */
enum saver_field {
    SAVER_MAX_TO_KEEP = 1,
    SAVER_KEEP_EVERY_HOURS = 1 << 1,
    SAVER_RESHAPE = 1 << 2,
    SAVER_RESTORE_SEQUENTIALLY = 1 << 3,
    SAVER_ALLOW_EMPTY = 1 << 4,
    SAVER_PAD_STEP_NUMBER = 1 << 5,
    SAVER_SHARDED = 1 << 6,
};

/* Everything borrowed. */
struct saver_spec {
    unsigned given; /* saver_field */
    struct saver_settings settings;
    /* Variables, or parts of partitioned ones ("v/part_0"), all of them. tensor NULL: saved under
     * the variable's own name. Of either kind all are. */
    const struct checkpoint_pick *picks; /* NULL: every variable of collection "variables" */
    size_t pick_count;
    bool named; /* the picks have tensors: a map */
    bool defer_build;
    /* Its list of last checkpoints is to be this, oldest first; NULL: as it is. */
    const char *const *last;
    size_t last_count;
    bool recover; /* those that are not there are left out; else ERR_NOT_FOUND */
};

/* Owned: saver_info_drop. */
struct saver_info {
    char name[NAME_BYTES_MAX + 1];
    struct saver_record record;
    bool whole;                      /* variables and last are there */
    struct buf variables;            /* tensor, variable, …, by tensor: u32 length + bytes each */
    struct buf last;                 /* names of its list, oldest first: likewise */
    char latest[NAME_BYTES_MAX + 1]; /* the newest that exists; "": none */
    struct buf removed; /* checkpoints that a smaller max_to_keep has removed: likewise */
};
void saver_info_drop(struct saver_info *info);

/* Made (*created), or made over: settings that are not given take their defaults, the variables are
 * chosen anew, and the list of last checkpoints stays. */
ERR_MUST_CHECK enum err_code saver_put(struct service *service, const char *model, const char *name,
                                       const struct saver_spec *spec,
                                       const struct write_options *options, bool *created,
                                       struct saver_info *out, uint64_t *revision, struct err *err);
/* Only what is given changes. */
ERR_MUST_CHECK enum err_code saver_patch(struct service *service, const char *model,
                                         const char *name, const struct saver_spec *spec,
                                         const struct write_options *options,
                                         struct saver_info *out, uint64_t *revision,
                                         struct err *err);
/* Chooses the variables of one whose building was deferred: those there are now. Of one that is
 * built nothing changes. */
ERR_MUST_CHECK enum err_code saver_build(struct service *service, const char *model,
                                         const char *name, const struct write_options *options,
                                         struct saver_info *out, uint64_t *revision,
                                         struct err *err);
/* Its checkpoints stay. */
ERR_MUST_CHECK enum err_code saver_delete(struct service *service, const char *model,
                                          const char *name, const struct write_options *options,
                                          uint64_t *revision, struct err *err);

/* --- looking ------------------------------------------------------------------------------- */

ERR_MUST_CHECK enum err_code saver_get(struct service *service, const char *model, const char *name,
                                       struct saver_info *out, struct err *err);
typedef enum err_code saver_visit(void *context, const struct saver_info *info, struct err *err);
/* In name order after `after` (NULL: from the first), at most count_max; not whole. */
ERR_MUST_CHECK enum err_code saver_list(struct service *service, const char *model,
                                        const char *after, size_t count_max, saver_visit *visit,
                                        void *context, bool *more, uint64_t *revision,
                                        struct err *err);

/* --- for service/ -------------------------------------------------------------------------- */

/* ERR_NOT_FOUND naming it. */
ERR_MUST_CHECK enum err_code saver_find(const struct store_view *view, uint64_t model_id,
                                        const char *name, struct saver_record *out,
                                        struct err *err);
/* The same, to save or restore through it: ERR_FAILED_PRECONDITION when it is not built. */
ERR_MUST_CHECK enum err_code saver_find_built(const struct store_view *view, uint64_t model_id,
                                              const char *name, struct saver_record *out,
                                              struct err *err);
/* Each variable it saves, by the name it is saved under; texts live for the call. */
typedef enum err_code saver_variable_visit(void *context, struct bytes tensor, const char *variable,
                                           struct err *err);
ERR_MUST_CHECK enum err_code saver_each_variable(const struct store_view *view, uint64_t saver_id,
                                                 saver_variable_visit *visit, void *context,
                                                 struct err *err);
/* Inside a unit: chooses what the saver saves, in place of what it saved before, and counts it in
 * *saver; its record is the caller's to write. */
ERR_MUST_CHECK enum err_code saver_choose_variables(struct store_txn *txn, uint64_t model_id,
                                                    struct saver_record *saver,
                                                    const struct saver_spec *spec, struct err *err);
/* Inside a unit: all records but its own. */
ERR_MUST_CHECK enum err_code saver_release(struct store_txn *txn, uint64_t saver_id,
                                           struct err *err);

/* --- records ------------------------------------------------------------------------------- */

ERR_MUST_CHECK enum err_code record_decode_saver(struct bytes record, struct saver_record *out,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code record_get_saver(const struct store_view *view, uint64_t model_id,
                                              const char *name, bool *found,
                                              struct saver_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_saver(struct store_txn *txn, uint64_t model_id,
                                              const char *name, const struct saver_record *record,
                                              struct err *err);

/* The variable that is saved under a name. *out: NAME_BYTES_MAX + 1 bytes. */
ERR_MUST_CHECK enum err_code record_decode_saved(struct bytes record, char *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_saved(struct store_txn *txn, uint64_t saver_id,
                                              struct bytes tensor, const char *variable,
                                              struct err *err);

/* One checkpoint in a saver's list; and its place, found by its name. */
struct last_record {
    uint64_t checkpoint_id; /* of the checkpoint that was listed: one of the name may be another */
    uint64_t saved_ms;
    char name[NAME_BYTES_MAX + 1];
};
ERR_MUST_CHECK enum err_code record_decode_last(struct bytes record, struct last_record *out,
                                                struct err *err);
ERR_MUST_CHECK enum err_code record_put_last(struct store_txn *txn, uint64_t saver_id,
                                             uint64_t place, const struct last_record *record,
                                             struct err *err);
/* 0 when there is none. */
ERR_MUST_CHECK enum err_code record_get_listed(const struct store_view *view, uint64_t saver_id,
                                               const char *checkpoint, uint64_t *place,
                                               struct err *err);
ERR_MUST_CHECK enum err_code record_put_listed(struct store_txn *txn, uint64_t saver_id,
                                               const char *checkpoint, uint64_t place,
                                               struct err *err);

#endif
