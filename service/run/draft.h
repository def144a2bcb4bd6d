/* A draft: the variables of one model as a run of operations has left them so far, before anything
 * of it is committed. Later operations of the run read and change what earlier ones made of them.
 *
 * The same code drafts in two places. Inside a commit the view is the transaction's and what is
 * drafted stays small: it is kept in memory, and what is too much is ERR_DEFER. Ahead of a commit
 * the view is a snapshot's, big values are staged, and the unit that publishes the draft expects
 * every variable to be what the draft took it for (ERR_CONFLICT otherwise).
 *
 * A value is never changed once something else than its variable holds it (a checkpoint of the
 * same run): changes make a new one over it. Not thread-safe; reading is, while nothing is written,
 * under a lock of the caller's. */
#ifndef SERVICE_RUN_DRAFT_H
#define SERVICE_RUN_DRAFT_H

#include "service/expr/expr.h"
#include "service/state.h"
#include "service/tensor/scatter.h"
#include "service/variable/variable.h"
#include "store/base/arena.h"
#include "store/base/buf.h"

enum {
    /* What a variable looked up or initialized, a tensor saved or a fetch cost a commit that waits
     * for them, beside their bytes: as much as working through so many. */
    DRAFT_STEP_WORK_BYTES = 4096,
    /* Edits of a value go by blocks of so many bytes: what of it they read and keep. Chunks of
     * either class are whole numbers of them, so that a block lies in one chunk. */
    DRAFT_BLOCK_BYTES = 960,
    /* An edit takes a commit about the time of so many bytes of work. */
    DRAFT_EDIT_WORK_BYTES = 64,
    /* A value of up to so many bytes is edited as a whole. */
    DRAFT_WHOLE_BYTES_MAX = 64 << 10,
    /* Chunks that edits may rewrite inside a commit; beyond it they are staged ahead of it. */
    DRAFT_EDIT_BYTES_MAX = 32 << 20,
};

struct device;           /* service/device/device.h */
struct device_conflicts; /* service/device/conflict.h */
struct device_spec;      /* service/device/spec.h */
struct draft_value;      /* bytes, wherever they are */
struct draft_writer;     /* a value being made */
struct draft_new;        /* a variable that the run makes */
struct draft_save;       /* a checkpoint that the run makes */
struct draft_record;     /* a record that the run relies on, or writes */
struct model_setter;     /* service/placement/model_setter.h */
struct saver_dropped;    /* service/saving/saver_keep.h */

/* One variable of the run. Read its fields; only draft_* functions change them. */
struct draft_variable {
    char name[NAME_BYTES_MAX + 1];
    bool found;                     /* in the view; false: made by this run */
    uint64_t id, version, revision; /* as the view has them */
    struct variable_form form;      /* as the run has left it */
    bool trainable, row_updates, is_virtual;
    uint64_t graph_position;
    struct partition partition;
    const char *device; /* in the arena; NULL: none */
    /* By part of the partition, when they are not all on `device`; in the arena. NULL: they are. */
    const char *const *part_devices;
    uint8_t placed; /* RECORD_PLACED_*: what of it the model gave */
    /* What is done to it runs there; NULL: nothing was yet (draft_check_device). Borrowed from the
     * service. */
    const struct device *assigned;
    uint64_t asked_by; /* the last operation that was asked to run somewhere, and changes it */
    /* Kept for an optimizer or an average, whose operation changes it: no guard measures it. */
    bool is_state;
    struct draft_value *value; /* NULL: uninitialized */
    uint64_t changes;          /* of the value in this run */
    /* What the publishing unit expects besides the id. */
    bool relied_on;             /* its value there was read, or its absence told: the version */
    bool revision_relied_on;    /* a condition on it was checked */
    struct draft_value *before; /* the value in the view; NULL likewise */
    struct shape before_shape;
    struct draft_new *made;
    struct bytes draws; /* seeds of its initialization in this run; data NULL: none */
    bool initialized_here;
    uint64_t published_version; /* set by draft_publish: after all changes */
};

/* What the run is at. */
struct draft_operation {
    const char *name;                /* static */
    const struct device_spec *asked; /* where it is asked to run; NULL: anywhere */
    uint64_t number;                 /* from 1 */
};

struct draft {
    struct service *service;       /* borrowed */
    const struct store_view *view; /* borrowed; for reading until draft_publish */
    const char *model_name;        /* borrowed */
    struct model_record model;
    bool ahead;                        /* of the commit; else inside it */
    struct store_stage *stage;         /* ahead: opened when first wanted; owned until taken */
    struct draft_variable **variables; /* sorted by name; owned */
    size_t variable_count, variable_capacity, named_count;
    struct draft_value *values; /* all that were ever made; owned */
    struct draft_save *saves;   /* in the order made; owned by the arena */
    struct draft_save **saves_end;
    size_t saved_count;                          /* tensors of all of them */
    bool saves_again;                            /* one of them may remove another */
    struct draft_record *records, **records_end; /* in the arena */
    struct model_setter *setter;                 /* in the arena; NULL: nothing was placed yet */
    struct draft_new *made;                      /* variables to make, in order */
    struct draft_new **made_end;
    size_t initialized_count; /* variables, by all initializations */
    uint64_t commit_bytes, commit_work_bytes,
        edit_bytes; /* inside a commit: used of what there is */
    /* Nodes of the graph taken by variables that are made, and by updates whose seeds are places in
     * it. */
    uint64_t graph_nodes;
    bool graph_relied_on;    /* graph_position was read: no variable may be made meanwhile */
    uint64_t graph_position; /* nodes in the graph before the run's */
    bool model_relied_on;    /* a condition on the model was checked */
    uint64_t model_revision; /* then: as it was */
    struct draft_operation operation;
    struct device_conflicts *conflicts; /* in the arena; NULL: none */
    struct arena arena;
};

/* --- life ---------------------------------------------------------------------------------- */

/* ahead: `view` is a snapshot's, else a transaction's. ERR_NOT_FOUND without such a model. */
ERR_MUST_CHECK enum err_code draft_open(struct draft *draft, struct service *service,
                                        const char *model, const struct store_view *view,
                                        bool ahead, struct err *err);
void draft_drop(struct draft *draft); /* a zeroed one is fine */

/* --- variables ----------------------------------------------------------------------------- */

/* ERR_NOT_FOUND naming it; ERR_INVALID_ARGUMENT when the run names too many. *out borrows from the
 * draft. "w:0" is not understood here. */
ERR_MUST_CHECK enum err_code draft_find(struct draft *draft, const char *name,
                                        struct draft_variable **out, struct err *err);
/* The same of one that the run does not name, but lists: there may be any number of them. */
ERR_MUST_CHECK enum err_code draft_find_listed(struct draft *draft, const char *name,
                                               struct draft_variable **out, struct err *err);
/* NULL in *out when there is none, which the publishing unit then expects. */
ERR_MUST_CHECK enum err_code draft_look(struct draft *draft, const char *name,
                                        struct draft_variable **out, struct err *err);
/* draft_find, and ERR_FAILED_PRECONDITION while it has no value. */
ERR_MUST_CHECK enum err_code draft_find_initialized(struct draft *draft, const char *name,
                                                    struct draft_variable **out, struct err *err);

/* A variable that this run makes: not trainable unless said, in collection "variables",
 * uninitialized. */
struct draft_variable_spec {
    const char *name; /* must not exist */
    struct tensor_type type;
    struct expr_tree *initial_value; /* inferred; taken on success; NULL: none */
    const char *collection;          /* besides "variables"; NULL: none */
    bool trainable, row_updates;
    /* What it is kept for: it is on that one's device, updated by rows likewise, and divided
     * likewise where it has that one's shape. NULL: nothing. */
    const struct draft_variable *like;
    /* Otherwise, one that it is only near: on the device of that one, or of its first part. NULL:
     * none, and it goes where the model's placement says. */
    const struct draft_variable *beside;
};
ERR_MUST_CHECK enum err_code draft_make_variable(struct draft *draft,
                                                 const struct draft_variable_spec *spec,
                                                 struct draft_variable **out, struct err *err);

/* One whose every element is the same number, at first and whenever it is initialized. */
struct draft_fill {
    const char *name; /* must not exist */
    struct tensor_type type;
    double element;                             /* in the type's dtype */
    const struct draft_variable *like, *beside; /* as a draft_variable_spec's */
    bool initialize;                            /* false: it has no value yet */
    bool is_state;                              /* as a draft_variable's */
};
ERR_MUST_CHECK enum err_code draft_make_filled(struct draft *draft, const struct draft_fill *fill,
                                               struct draft_variable **out, struct err *err);

/* Whether one that this run has made is in a collection. */
bool draft_is_in(const struct draft_variable *variable, struct bytes collection);
/* The initial value as it was declared: a copy, owned. *found false: it has none. */
ERR_MUST_CHECK enum err_code draft_initial_value(struct draft *draft,
                                                 const struct draft_variable *variable, bool *found,
                                                 struct expr_tree *out, struct err *err);

/* If-Match and the like on a variable as the view has it, or on the model: ERR_PRECONDITION_FAILED.
 */
ERR_MUST_CHECK enum err_code draft_check_conditions(struct draft_variable *variable,
                                                    const struct write_options *options,
                                                    struct err *err);
ERR_MUST_CHECK enum err_code
draft_check_model(struct draft *draft, const struct write_options *options, struct err *err);

/* Current values of the run for expressions; borrows the draft. {"initialized_value": x} is x's
 * current value. */
struct expr_source draft_source(struct draft *draft);

/* --- devices ------------------------------------------------------------------------------- */

/* What follows is done by this operation. Both borrowed until the next one begins. */
void draft_begin_operation(struct draft *draft, const char *name, const struct device_spec *asked);
/* Before anything runs on the variable, though it be a dry run: finds the device it is on, once.
 * ERR_INVALID_ARGUMENT in TensorFlow's words when this process has none that it may be on. An
 * operation that was asked to run elsewhere is a conflict of the draft's, once for each variable;
 * state that it keeps is not spoken of. */
ERR_MUST_CHECK enum err_code draft_check_device(struct draft *draft,
                                                struct draft_variable *variable, struct err *err);
/* For the conflict alone, where nothing runs on the variable: what is made for it follows it. */
ERR_MUST_CHECK enum err_code draft_follow_device(struct draft *draft,
                                                 struct draft_variable *variable, struct err *err);
/* As draft_check_device for what operations change and no device is said of. */
ERR_MUST_CHECK enum err_code draft_check_no_device(struct draft *draft, const char *name,
                                                   enum dtype dtype, struct err *err);

/* --- reading ------------------------------------------------------------------------------- */

/* Of the variable's current value. The size in bytes; 0 without a value. */
uint64_t draft_size(const struct draft_variable *variable);
/* Copies [offset, offset + size). */
ERR_MUST_CHECK enum err_code draft_read(struct draft *draft, struct draft_variable *variable,
                                        uint64_t offset, uint64_t size, void *out, struct err *err);
/* The same without a copy where the bytes lie together; data NULL: they do not. Borrowed until the
 * variable is edited, at most until draft_publish. */
ERR_MUST_CHECK enum err_code draft_lend(struct draft *draft, struct draft_variable *variable,
                                        uint64_t offset, uint64_t size, struct bytes *out,
                                        struct err *err);
/* In one run on a 16-byte boundary: lent where they lie so, else copied to `copy`. */
ERR_MUST_CHECK enum err_code draft_view_bytes(struct draft *draft, struct draft_variable *variable,
                                              uint64_t offset, uint64_t size, uint8_t *copy,
                                              const void **out, struct err *err);

/* The same of what it had in the view; and whether it had a value there, of today's shape. The
 * publishing unit then expects it. */
ERR_MUST_CHECK enum err_code draft_read_before(struct draft *draft, struct draft_variable *variable,
                                               uint64_t offset, uint64_t size, void *out,
                                               struct err *err);
bool draft_has_before(struct draft_variable *variable);
/* What follows is about all variables there are: the publishing unit expects that none was made. */
ERR_MUST_CHECK enum err_code draft_rely_on_names(struct draft *draft, struct err *err);

/* --- writing ------------------------------------------------------------------------------- */

/* A new whole value of `size` bytes, front to back; the current one stays readable until
 * draft_write_close. ERR_DEFER when it is too much for a commit. ERR_FULL without room. Owned:
 * closed, or dropped. */
ERR_MUST_CHECK enum err_code draft_write_open(struct draft *draft, struct draft_variable *variable,
                                              uint64_t size, struct draft_writer **out,
                                              struct err *err);
/* Room for the next bytes, 64-byte aligned at chunk boundaries: *size of them, at least 1. Up to 16
 * writers of a draft may have room at a time. */
ERR_MUST_CHECK enum err_code draft_write_reserve(struct draft_writer *w, uint8_t **out,
                                                 size_t *size, struct err *err);
ERR_MUST_CHECK enum err_code draft_write_commit(struct draft_writer *w, size_t size,
                                                struct err *err);
ERR_MUST_CHECK enum err_code draft_write_append(struct draft_writer *w, const void *bytes,
                                                size_t size, struct err *err);
/* All of the value, of this type, tile by tile: each is made in the writer's room, of what is there
 * of the current value of `from` (of the same type), which lies on a 16-byte boundary. */
typedef enum err_code draft_make_tile(void *context, uint64_t first, uint64_t count,
                                      const void *old, void *room, struct err *err);
ERR_MUST_CHECK enum err_code draft_write_over(struct draft_writer *w, struct draft_variable *from,
                                              const struct tensor_type *type, draft_make_tile *make,
                                              void *context, struct err *err);
/* Instead: one element repeated (costs a record whatever the size); what a recipe makes. As
 * value_builder_fill and _recipe. */
ERR_MUST_CHECK enum err_code draft_write_fill(struct draft_writer *w, const void *element,
                                              size_t element_size, struct err *err);
ERR_MUST_CHECK enum err_code draft_write_recipe(struct draft_writer *w, struct bytes recipe,
                                                struct err *err);
/* The whole value of an inferred and drawn tree, as a fill where it is one. Not for strings. */
ERR_MUST_CHECK enum err_code draft_write_expr(struct draft_writer *w, const struct expr_tree *tree,
                                              const struct expr_source *source, struct err *err);
/* What is written so far. */
ERR_MUST_CHECK enum err_code draft_write_read(struct draft_writer *w, uint64_t offset,
                                              uint64_t size, void *out, struct err *err);
/* The variable has this value and shape from now on. Takes the writer, also on failure. */
ERR_MUST_CHECK enum err_code draft_write_close(struct draft_writer *w, const struct shape *shape,
                                               struct err *err);
/* A value of no variable, for a record that a publication writes. `name`: whose it is, for
 * messages; borrowed until it is kept. */
ERR_MUST_CHECK enum err_code draft_write_loose(struct draft *draft, const char *name, uint64_t size,
                                               enum store_class class, struct draft_writer **out,
                                               struct err *err);
/* Instead of draft_write_close, for a loose value: takes the writer, also on failure. *out: for
 * draft_put_value; what no publication puts into a record is given up. */
ERR_MUST_CHECK enum err_code draft_write_keep(struct draft_writer *w, struct draft_value **out,
                                              struct err *err);
void draft_write_drop(struct draft_writer *w); /* NULL is fine */
void draft_writer_scope_drop(struct draft_writer **w);
#define AUTO_WRITER AUTO_CALL(draft_writer_scope_drop) struct draft_writer *

/* Writable bytes of the current value at `offset`, which hold what is there: *size of them, at most
 * size_max. Only chunks with such bytes are rewritten. Writable until the next draft call. The
 * shape stays. ERR_DEFER when it is too much for a commit. Call draft_edited once per operation. */
ERR_MUST_CHECK enum err_code draft_edit(struct draft *draft, struct draft_variable *variable,
                                        uint64_t offset, uint64_t size_max, uint8_t **out,
                                        size_t *size, struct err *err);
/* Changes the elements in bytes [offset, offset + size) by those of the update, by edits. */
ERR_MUST_CHECK enum err_code draft_scatter_row(struct draft *draft, struct draft_variable *variable,
                                               enum kernel_scatter kernel, uint64_t offset,
                                               uint64_t size, struct kernel_operand update,
                                               struct err *err);
void draft_edited(struct draft_variable *variable);
/* Whether edits of the current value rewrite a few rows at a time: not of a large one whose rows
 * were never updated yet. Of a variable that has a value. */
ERR_MUST_CHECK enum err_code draft_in_rows(struct draft *draft, struct draft_variable *variable,
                                           bool *out, struct err *err);

/* Whether the current value is the one in the view but for edits of parts of it. */
bool draft_is_edited(const struct draft_variable *variable);
/* Calls `visit` for ranges of the current value's bytes, front to back, that hold all that the run
 * has changed: a few blocks where rows were edited, else the whole. */
typedef enum err_code draft_change(void *context, uint64_t offset, uint64_t size, struct err *err);
ERR_MUST_CHECK enum err_code draft_each_change(const struct draft_variable *variable,
                                               draft_change *visit, void *context, struct err *err);

/* For a value of the variable: the device that it is on computes it. NULL: a value of none. */
struct evaluator_options draft_evaluator_options(const struct draft *draft,
                                                 const struct draft_variable *variable);
/* compute_size of an inferred and drawn tree; ERR_DEFER for more strings than a commit takes. */
ERR_MUST_CHECK enum err_code draft_size_of(struct draft *draft, const struct expr_tree *tree,
                                           const struct expr_source *source, struct buf *strings,
                                           uint64_t *size, struct err *err);
/* Counts work that a commit would wait for: ERR_DEFER when it is too much. */
ERR_MUST_CHECK enum err_code draft_work(struct draft *draft, uint64_t bytes, struct err *err);
/* Seeds for the random ops of an update of `name`: from its name, or from places in the graph that
 * the update takes. */
ERR_MUST_CHECK enum err_code draft_draw(struct draft *draft, const char *name,
                                        struct expr_tree *tree, struct err *err);
/* The seeds that the variable's new value was initialized with. */
ERR_MUST_CHECK enum err_code draft_set_draws(struct draft *draft, struct draft_variable *variable,
                                             const struct expr_tree *tree, struct err *err);

/* --- checkpoints --------------------------------------------------------------------------- */

/* A checkpoint of the values as they are now. Name with step. Tensors are added to it, each name
 * once. */
struct draft_save_spec {
    const char *name;
    bool has_global_step;
    int64_t global_step;
    bool overwrite;
    const struct write_options *options;        /* conditions on it; NULL: none */
    const char *saver;                          /* that it is saved through; NULL: none */
    uint64_t saver_id, saver_settings_revision; /* of that one, as the run found it */
    bool sharded; /* the tensors are divided by the devices of their variables */
};
/* ERR_ALREADY_EXISTS when one of that name is there, also of this run, and not to be overwritten;
 * ERR_FAILED_PRECONDITION when it is pinned; ERR_PRECONDITION_FAILED. The publishing unit expects
 * the saver's settings to be as they were. */
ERR_MUST_CHECK enum err_code draft_save_open(struct draft *draft,
                                             const struct draft_save_spec *spec,
                                             struct draft_save **out, struct err *err);
/* ERR_FAILED_PRECONDITION while the variable has no value. */
ERR_MUST_CHECK enum err_code draft_save_add(struct draft *draft, struct draft_save *save,
                                            struct bytes tensor, struct draft_variable *variable,
                                            struct err *err);
/* After draft_publish: what was saved. *replaced: one of that name was there. */
const struct checkpoint_record *draft_saved(const struct draft_save *save, bool *replaced);
/* Likewise: what the saver's list has lost for it. */
const struct saver_dropped *draft_save_dropped(const struct draft_save *save);

/* --- other records ------------------------------------------------------------------------- */

/* The publishing unit expects the record at `key` to be what it is in the view; *out as store_get,
 * a copy in the draft's arena. */
ERR_MUST_CHECK enum err_code draft_rely_on(struct draft *draft, const struct record_key *key,
                                           struct bytes *out, struct err *err);
/* Something else that the publishing unit does, once all values are in their places: in the order
 * asked for, and again when the unit runs again. `context` lives as long as the draft. */
typedef enum err_code draft_publication(struct store_txn *txn, const struct draft *draft,
                                        void *context, struct err *err);
ERR_MUST_CHECK enum err_code draft_also_publish(struct draft *draft, draft_publication *publish,
                                                void *context, struct err *err);
/* The contexts that were given with `publish` so far, in order; NULL past the last. */
void *draft_to_publish(const struct draft *draft, draft_publication *publish, size_t index);

/* In a publication: a loose value, and the one reference to it. */
ERR_MUST_CHECK enum err_code draft_put_value(const struct draft *draft, struct store_txn *txn,
                                             struct draft_value *value, struct value_ref *out,
                                             struct err *err);

/* --- committing ---------------------------------------------------------------------------- */

/* Before draft_publish of a draft that was made ahead, outside of any unit: stages what would be
 * too much to write inside a commit, the chunks of edits and values in memory. */
ERR_MUST_CHECK enum err_code draft_settle(struct draft *draft, struct err *err);
/* Inside a unit; may run again with the unit. ERR_CONFLICT when a variable is not what the draft
 * took it for. Whether anything changed: *changed. */
ERR_MUST_CHECK enum err_code draft_publish(struct draft *draft, struct store_txn *txn,
                                           bool *changed, struct err *err);

#endif
