/* Records of optimizers: which one, its hyper-parameters by name, the expression of its learning
 * rate, and where its slots are counted from. */
#include <stdio.h>

#include "service/expr/expr_attr.h"
#include "service/record/record_parts.h"
#include "service/training/optimizer_config.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { OWNER_BYTES_MAX = 80, NAME_BYTES_SHOWN_MAX = 64 };

static struct expr_attrs
attrs_of(const struct optimizer_config *config, char owner[static OWNER_BYTES_MAX])
{
    snprintf(owner, OWNER_BYTES_MAX, "optimizer '%s'", config->optimizer->name);
    return (struct expr_attrs){.owner = owner,
                               .specs = config->optimizer->attrs,
                               .params = config->params,
                               .given = config->given};
}

/* --- in ------------------------------------------------------------------------------------ */

static enum err_code
find_optimizer(struct bytes name, const struct optimizer **out, struct err *err)
{
    *out = optimizer_find(name);
    if (*out != NULL)
        return OK;
    return err_set(err, ERR_DATA_LOSS, "an optimizer record is of type '%.*s', which is not known",
                   name.size < NAME_BYTES_SHOWN_MAX ? (int)name.size : NAME_BYTES_SHOWN_MAX,
                   (const char *)name.data);
}

static enum err_code
decode_params(struct reader *in, struct optimizer_config *out, struct err *err)
{
    const struct expr_limits none = {0}; /* hyper-parameters are no literals */
    char owner[OWNER_BYTES_MAX];
    AUTO(expr_tree) tree = {0};
    struct expr_attrs attrs;

    out->params = mem_zeroed(1, out->optimizer->params_size, err);
    out->given = mem_zeroed(attr_count(out->optimizer->attrs), sizeof *out->given, err);
    if (out->params == NULL || out->given == NULL)
        return ERR_NO_MEMORY;
    attr_defaults(out->optimizer->attrs, out->params);
    attrs = attrs_of(out, owner);
    TRY(expr_tree_init(&tree, err));
    return expr_attrs_decode(in, &none, &tree, &attrs, err);
}

static enum err_code
decode(struct bytes record, struct optimizer_config *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);
    struct bytes type, learning_rate;

    out->id = reader_u64(&in);
    type = reader_bytes(&in);
    if (in.failed || format != RECORD_FORMAT)
        return record_decoded(&in, format, "model's optimizer", err);
    TRY(find_optimizer(type, &out->optimizer, err));
    TRY(decode_params(&in, out, err));
    learning_rate = reader_bytes(&in);
    record_name_decode(&in, sizeof out->suffix, out->suffix);
    record_name_decode(&in, sizeof out->global_step, out->global_step);
    out->slot_base = reader_u32(&in);
    out->power_base = reader_u32(&in);
    out->created_ms = reader_u64(&in);
    out->updated_ms = reader_u64(&in);
    out->created_revision = reader_u64(&in);
    out->revision = reader_u64(&in);
    TRY(record_decoded(&in, format, "model's optimizer", err));
    return record_expr_decode(learning_rate, &out->learning_rate, err);
}

enum err_code
record_decode_optimizer(struct bytes record, struct optimizer_config *out, struct err *err)
{
    AUTO(optimizer_config) config = {0};

    TRY(decode(record, &config, err));
    *out = TAKE(config);
    return OK;
}

enum err_code
record_get_optimizer(const struct store_view *view, uint64_t model_id, const char *name,
                     bool *found, struct optimizer_config *out, struct err *err)
{
    struct record_key key;
    struct bytes record;
    enum err_code code;

    *found = false;
    if (strlen(name) > NAME_BYTES_MAX)
        return OK;
    key = record_key_optimizer(model_id, name);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    if (!*found)
        return OK;
    code = record_decode_optimizer(record, out, err);
    if (code != OK) {
        err_about(err, "optimizer", name);
        return code;
    }
    snprintf(out->name, sizeof out->name, "%s", name);
    return OK;
}

/* --- out ----------------------------------------------------------------------------------- */

enum err_code
record_put_optimizer(struct store_txn *txn, uint64_t model_id,
                     const struct optimizer_config *config, struct err *err)
{
    struct record_key key = record_key_optimizer(model_id, config->name);
    char owner[OWNER_BYTES_MAX];
    struct expr_attrs attrs = attrs_of(config, owner);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, config->id, err));
    TRY(buf_append_bytes(&out, bytes_of_text(config->optimizer->name), err));
    TRY(expr_attrs_encode(&attrs, &out, err));
    TRY(record_expr_encode(&config->learning_rate, "the learning rate",
                           OPTIMIZER_LEARNING_RATE_BYTES_MAX, &out, err));
    TRY(buf_append_bytes(&out, bytes_of_text(config->suffix), err));
    TRY(buf_append_bytes(&out, bytes_of_text(config->global_step), err));
    TRY(buf_append_u32(&out, config->slot_base, err));
    TRY(buf_append_u32(&out, config->power_base, err));
    TRY(buf_append_u64(&out, config->created_ms, err));
    TRY(buf_append_u64(&out, config->updated_ms, err));
    TRY(buf_append_u64(&out, config->created_revision, err));
    TRY(buf_append_u64(&out, config->revision, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
