/* The domain's records: their keys, their bytes, and the one place that reads and writes them.
 *
 * Every record begins with a format byte and is checked when written and when read; damage is
 * ERR_DATA_LOSS naming the record. Model, variable and checkpoint records have a numeric id besides
 * the name, so that prefixes stay short and a thing deleted and made again is told apart from the
 * old one. */
#ifndef SERVICE_RECORD_RECORD_H
#define SERVICE_RECORD_RECORD_H

#include "service/device/setter.h"
#include "service/name.h"
#include "service/random/random.h"
#include "service/tensor/tensor.h"
#include "service/usage/model_quota.h"
#include "service/variable/partition.h"
#include "store/value.h"

enum {
    RECORD_LABELS_BYTES_MAX = 4096,
    RECORD_LABELS_MAX = 64,
    RECORD_COLLECTIONS_BYTES_MAX = 2048,
    RECORD_DEVICE_BYTES_MAX = 255,
    RECORD_FINGERPRINT_BYTES = 32, /* of a request: SHA-256 */
};

struct optimizer_config; /* service/training/optimizer_config.h */
struct average_config;   /* service/training/average.h */
struct average_member;
struct expr_tree;

/* A key, copied by value. */
struct record_key {
    uint8_t bytes[STORE_KEY_BYTES_MAX];
    size_t size;
};

static inline struct bytes
record_key_bytes(const struct record_key *key)
{
    return bytes_of(key->bytes, key->size);
}

/* Texts kept in a record: u32 count, then u32 length + bytes each. Encoded in place. */
struct record_texts {
    uint32_t size;
    uint8_t bytes[RECORD_LABELS_BYTES_MAX];
};

/* What people note about a model or a checkpoint: kept as texts name, value, name, value … Borrows
 * from the caller. */
struct record_label {
    const char *name, *value;
};

/* Where the op seed comes from when only the model has one. Stored: the order stays. */
enum model_seed_mode {
    MODEL_SEED_MODE_NAME, /* "name": from the variable's name and the op's place in its expression
                           */
    MODEL_SEED_MODE_TF,   /* "tf": the number of nodes in the graph before the op, as TensorFlow */
    MODEL_SEED_MODE_COUNT
};

/* What a model says of where things go. Zeroed: nothing. */
struct model_devices {
    char device[RECORD_DEVICE_BYTES_MAX + 1]; /* canonical: the outermost scope; "": none */
    bool allow_soft_placement;
    bool has_placement;
    struct device_setter_args placement; /* with has_placement */
};

struct model_record {
    uint64_t id;
    bool has_seed;
    int64_t seed;
    enum random_profile profile;
    enum model_seed_mode seed_mode;
    uint64_t created_ms, created_revision;
    struct record_texts labels; /* name, value, name, value … */
    struct model_devices devices;
};

/* Counters of a model; rewritten by every commit that touches it. */
struct usage_record {
    uint64_t revision; /* of the model's last change */
    uint64_t variables, initialized, bytes;
    uint64_t checkpoints, checkpoint_bytes;
    uint64_t graph_nodes; /* made so far: what is deleted gives no numbers back */
    struct model_quota quota;
};

/* What values a variable takes. */
struct variable_form {
    struct tensor_type type;
    bool shape_known;           /* false: validate_shape was false and nothing is assigned yet */
    bool validate_shape;        /* false: an assign may change the shape */
    struct partition partition; /* of a shape that is known and stays */
};

/* What of a variable's device is not its own request's: the model's device and placement gave it,
 * and give it anew when the variable is placed anew. */
enum {
    RECORD_PLACED_JOB = 1,
    RECORD_PLACED_REPLICA = 2,
    RECORD_PLACED_TASK = 4,
    RECORD_PLACED_TYPE = 8,
    RECORD_PLACED_INDEX = 16,
    RECORD_PLACED_NEVER = 32, /* the request hid them: a device of null */
};

struct variable_record {
    uint64_t id;
    struct tensor_type type;
    bool shape_known;    /* false: validate_shape was false and nothing is assigned yet */
    bool validate_shape; /* false: an assign may change the shape */
    bool trainable, row_updates;
    bool is_virtual;            /* its initializer keeps a recipe instead of elements (recipe.h) */
    struct partition partition; /* of a shape that is known and stays */
    uint64_t created_ms, updated_ms, created_revision;
    uint64_t revision;       /* of the last change of anything here */
    uint64_t version;        /* changes of the value */
    uint64_t serial;         /* creation order within the store */
    uint64_t graph_position; /* nodes of the model's graph before those of this variable */
    uint64_t graph_number;   /* its op's name is the variable's, with _<this> when not 0 */
    char device[RECORD_DEVICE_BYTES_MAX + 1]; /* canonical, but for one recorded as it was given */
    /* Where its reads are kept: "": nowhere. Canonical. */
    char caching_device[RECORD_DEVICE_BYTES_MAX + 1];
    struct value_ref part_devices; /* partition_devices.h; VALUE_NONE: all parts are on `device` */
    uint8_t placed;                /* RECORD_PLACED_*; 0: the device is as the request had it */
    struct record_texts collections;
    struct value_ref initial_value; /* an encoded expression; VALUE_NONE: none */
    struct value_ref
        initialized_with;   /* encoded draws of the last initialization; VALUE_NONE: none */
    struct value_ref value; /* VALUE_NONE: uninitialized */
};

struct checkpoint_record {
    uint64_t id;
    bool has_global_step, pinned;
    int64_t global_step;
    uint64_t created_ms, revision; /* of its making: its tensors stay as they are */
    uint64_t changed_revision;     /* of the last change of what is said about it */
    uint64_t tensors, bytes;
    uint32_t shards;                /* its tensors are divided among so many; at least 1 */
    char saver[NAME_BYTES_MAX + 1]; /* that it was saved through; "": none */
    uint64_t saver_id;              /* of that one, which may be gone; 0: none */
    struct record_texts labels;     /* name, value, name, value … */
    struct value_ref metadata; /* name, value …, u32 length + bytes each, as imported; VALUE_NONE */
};

/* One tensor of a checkpoint. */
struct tensor_record {
    struct tensor_type type;
    bool trainable;
    uint32_t position; /* in the order they were saved in, or lay in the file: from 0 */
    uint32_t shard;    /* less than the checkpoint's shards; of parts in several, one of them */
    struct value_ref value;
    struct partition partition; /* of the variable it was saved from; count 0: that was whole */
    struct bytes part_shards;   /* partition_part_shard; borrows from the record */
};

/* What became of a request that had an idempotency key. */
struct outcome_record {
    uint64_t created_ms, revision; /* of its commit */
    uint8_t fingerprint[RECORD_FINGERPRINT_BYTES];
    struct value_ref reply; /* what the client was told, as the edge writes it down */
};

/* When an optimizer was last applied: the revisions of the latest ones, oldest first. */
enum { RECORD_APPLIES_MAX = 100 };
struct applies_record {
    uint64_t applies; /* since it was made */
    uint32_t count;
    uint64_t revisions[RECORD_APPLIES_MAX];
};

/* A variable's place in the graph, by its first node. Borrows from the record. */
struct place_record {
    struct bytes name;    /* of the variable */
    struct bytes numbers; /* of the scopes its expression opens: graph_place.h */
};

static inline struct variable_form
record_variable_form(const struct variable_record *variable)
{
    return (struct variable_form){.type = variable->type,
                                  .shape_known = variable->shape_known,
                                  .validate_shape = variable->validate_shape,
                                  .partition = variable->partition};
}

/* --- keys ---------------------------------------------------------------------------------- */

struct record_key record_key_model(const char *model);
struct record_key record_key_usage(uint64_t model_id);
struct record_key record_key_setter(uint64_t model_id);
struct record_key record_key_variable(uint64_t model_id, const char *name);
struct record_key record_key_name_counter(uint64_t model_id, const char *base);
struct record_key record_key_scope_counter(uint64_t model_id, const char *scope);
struct record_key record_key_place(uint64_t model_id, uint64_t position);
struct record_key record_key_places(uint64_t model_id); /* prefix of all of a model */
/* The position at the end of a place's key, also of one in a saver's list. */
uint64_t record_key_position(struct bytes key);
struct record_key record_key_applies(uint64_t model_id, const char *optimizer);
struct record_key record_key_checkpoint(uint64_t model_id, const char *name);
struct record_key record_key_order(uint64_t model_id, uint64_t checkpoint_id);
struct record_key record_key_orders(uint64_t model_id); /* prefix of all of a model */
struct record_key record_key_tensor(uint64_t checkpoint_id, struct bytes name);
struct record_key record_key_optimizer(uint64_t model_id, const char *name);
struct record_key record_key_average(uint64_t model_id, const char *name);
struct record_key record_key_member(uint64_t average_id, const char *name);
struct record_key record_key_accumulator(uint64_t model_id, const char *name);
struct record_key record_key_accumulation(uint64_t model_id, const char *optimizer,
                                          const char *key);
struct record_key record_key_accumulations(uint64_t model_id, const char *optimizer); /* prefix */
struct record_key record_key_model_accumulations(uint64_t model_id);                  /* likewise */
struct record_key record_key_sum(uint64_t accumulation_id, const char *variable);
struct record_key record_key_worker(uint64_t accumulation_id, const char *worker);
struct record_key record_key_steps(uint64_t model_id, const char *optimizer);
struct record_key record_key_saver(uint64_t model_id, const char *name);
struct record_key record_key_saved(uint64_t saver_id, struct bytes tensor);
struct record_key record_key_last(uint64_t saver_id, uint64_t place);
struct record_key record_key_lasts(uint64_t saver_id); /* prefix of all of a saver */
struct record_key record_key_listed(uint64_t saver_id, const char *checkpoint);
struct record_key record_key_outcome(struct bytes idempotency_key);
struct record_key record_key_expiry(uint64_t created_ms, struct bytes idempotency_key);
struct record_key record_key_expiries(void); /* prefix of all */
struct record_key record_key_kept(void);
/* The time in an expiry's key; its idempotency key is what record_key_name gives. */
uint64_t record_key_created_ms(struct bytes key);
/* The id after a key's kind: of the model, for what is in one. */
uint64_t record_key_id(struct bytes key);
/* The name at the end of a key: of the variable, checkpoint, tensor, model or what else it is of.
 * Borrows from the key. */
struct bytes record_key_name(struct bytes key);

/* --- records ------------------------------------------------------------------------------- */

/* Reading: *found false and *out untouched when there is none. */
ERR_MUST_CHECK enum err_code record_get_model(const struct store_view *view, const char *model,
                                              bool *found, struct model_record *out,
                                              struct err *err);
ERR_MUST_CHECK enum err_code record_get_usage(const struct store_view *view, uint64_t model_id,
                                              struct usage_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_get_variable(const struct store_view *view, uint64_t model_id,
                                                 const char *name, bool *found,
                                                 struct variable_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_get_checkpoint(const struct store_view *view, uint64_t model_id,
                                                   const char *name, bool *found,
                                                   struct checkpoint_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_get_tensor(const struct store_view *view,
                                               uint64_t checkpoint_id, struct bytes name,
                                               bool *found, struct tensor_record *out,
                                               struct err *err);

/* The record alone: without the name. Owned: optimizer_config_drop. */
ERR_MUST_CHECK enum err_code record_decode_optimizer(struct bytes record,
                                                     struct optimizer_config *out, struct err *err);
ERR_MUST_CHECK enum err_code record_get_optimizer(const struct store_view *view, uint64_t model_id,
                                                  const char *name, bool *found,
                                                  struct optimizer_config *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_optimizer(struct store_txn *txn, uint64_t model_id,
                                                  const struct optimizer_config *config,
                                                  struct err *err);

/* Likewise: average_config_drop, average_member_drop. */
ERR_MUST_CHECK enum err_code record_decode_average(struct bytes record, struct average_config *out,
                                                   struct err *err);
ERR_MUST_CHECK enum err_code record_get_average(const struct store_view *view, uint64_t model_id,
                                                const char *name, bool *found,
                                                struct average_config *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_average(struct store_txn *txn, uint64_t model_id,
                                                const struct average_config *config,
                                                struct err *err);
ERR_MUST_CHECK enum err_code record_decode_member(struct bytes record, struct average_member *out,
                                                  struct err *err);
ERR_MUST_CHECK enum err_code record_get_member(const struct store_view *view, uint64_t average_id,
                                               const char *name, bool *found,
                                               struct average_member *out, struct err *err);
/* `value`: of a tensor; NULL: a variable. */
ERR_MUST_CHECK enum err_code record_put_member(struct store_txn *txn, uint64_t average_id,
                                               const char *name, const struct expr_tree *value,
                                               struct err *err);

/* How often a base name was made unique; 0 when never. */
ERR_MUST_CHECK enum err_code record_get_name_counter(const struct store_view *view,
                                                     uint64_t model_id, const char *base,
                                                     uint64_t *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_name_counter(struct store_txn *txn, uint64_t model_id,
                                                     const char *base, uint64_t number,
                                                     struct err *err);

/* How often a name was asked for in the graph, as TensorFlow counts it; 0 when never. */
ERR_MUST_CHECK enum err_code record_get_scope_counter(const struct store_view *view,
                                                      uint64_t model_id, const char *scope,
                                                      uint64_t *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_scope_counter(struct store_txn *txn, uint64_t model_id,
                                                      const char *scope, uint64_t number,
                                                      struct err *err);

/* What a model's setter has drawn; zeroed when there is none. */
ERR_MUST_CHECK enum err_code record_get_setter(const struct store_view *view, uint64_t model_id,
                                               struct device_setter_state *out, struct err *err);
ERR_MUST_CHECK enum err_code record_decode_setter(struct bytes record,
                                                  struct device_setter_state *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_setter(struct store_txn *txn, uint64_t model_id,
                                               const struct device_setter_state *state,
                                               struct err *err);

ERR_MUST_CHECK enum err_code record_decode_place(struct bytes record, struct place_record *out,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code record_put_place(struct store_txn *txn, uint64_t model_id,
                                              uint64_t position, const struct place_record *record,
                                              struct err *err);

ERR_MUST_CHECK enum err_code record_get_outcome(const struct store_view *view,
                                                struct bytes idempotency_key, bool *found,
                                                struct outcome_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_decode_outcome(struct bytes record, struct outcome_record *out,
                                                   struct err *err);
/* The outcome and its expiry. */
ERR_MUST_CHECK enum err_code record_put_outcome(struct store_txn *txn, struct bytes idempotency_key,
                                                const struct outcome_record *record,
                                                struct err *err);
ERR_MUST_CHECK enum err_code record_delete_outcome(struct store_txn *txn,
                                                   struct bytes idempotency_key,
                                                   uint64_t created_ms, struct err *err);
/* How many outcomes there are. */
ERR_MUST_CHECK enum err_code record_get_kept(const struct store_view *view, uint64_t *out,
                                             struct err *err);
ERR_MUST_CHECK enum err_code record_put_kept(struct store_txn *txn, uint64_t count,
                                             struct err *err);

/* ERR_UNAVAILABLE when the models in this store were recorded by another version of the program.
 * Damage is passed over: it is told where it is met. */
ERR_MUST_CHECK enum err_code record_check_format(const struct store_view *view, struct err *err);
ERR_MUST_CHECK enum err_code record_decode_model(struct bytes record, struct model_record *out,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code record_decode_variable(struct bytes record,
                                                    struct variable_record *out, struct err *err);
ERR_MUST_CHECK enum err_code
record_decode_checkpoint(struct bytes record, struct checkpoint_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_decode_tensor(struct bytes record, struct tensor_record *out,
                                                  struct err *err);

ERR_MUST_CHECK enum err_code record_put_model(struct store_txn *txn, const char *model,
                                              const struct model_record *record, struct err *err);
ERR_MUST_CHECK enum err_code record_put_usage(struct store_txn *txn, uint64_t model_id,
                                              const struct usage_record *record, struct err *err);
ERR_MUST_CHECK enum err_code record_put_variable(struct store_txn *txn, uint64_t model_id,
                                                 const char *name,
                                                 const struct variable_record *record,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code record_put_checkpoint(struct store_txn *txn, uint64_t model_id,
                                                   const char *name,
                                                   const struct checkpoint_record *record,
                                                   struct err *err);
ERR_MUST_CHECK enum err_code record_put_tensor(struct store_txn *txn, uint64_t checkpoint_id,
                                               struct bytes name,
                                               const struct tensor_record *record, struct err *err);

/* Zeroed when there is none. */
ERR_MUST_CHECK enum err_code record_get_applies(const struct store_view *view, uint64_t model_id,
                                                const char *optimizer, struct applies_record *out,
                                                struct err *err);
ERR_MUST_CHECK enum err_code record_decode_applies(struct bytes record, struct applies_record *out,
                                                   struct err *err);
ERR_MUST_CHECK enum err_code record_put_applies(struct store_txn *txn, uint64_t model_id,
                                                const char *optimizer,
                                                const struct applies_record *record,
                                                struct err *err);

/* --- texts --------------------------------------------------------------------------------- */

/* Appends one text; ERR_INVALID_ARGUMENT when there is no room ("labels"/"collections" too long).
 */
ERR_MUST_CHECK enum err_code record_texts_add(struct record_texts *texts, const char *what,
                                              struct bytes text, struct err *err);
/* Iterate: start with *offset 0; false at the end. Borrows from texts. */
bool record_texts_next(const struct record_texts *texts, uint32_t *offset, struct bytes *text);
bool record_texts_hold(const struct record_texts *texts, struct bytes text);
/* In place of the labels there are. ERR_INVALID_ARGUMENT when there are too many, or they are too
 * long. */
ERR_MUST_CHECK enum err_code record_labels_set(struct record_texts *out,
                                               const struct record_label *labels, size_t count,
                                               struct err *err);

#endif
