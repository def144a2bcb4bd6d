/* The devices of a variable that is made: chosen once, for the variable and for its read. */
#include "service/placement/variable_place.h"

/* The op that a variable's value is read by. */
#define READ_OP "Identity"

/* Inside of what is around the variable; hidden from it, from the model too. */
static enum err_code
place_read(struct model_setter *setter, const struct variable_scopes *scopes,
           const struct device_spec *around, bool hidden, struct variable_record *record,
           struct err *err)
{
    struct device_spec own = *around, inner;
    struct model_setter_op op = {READ_OP, &own, hidden, &record->type, record->shape_known};
    bool resets = false;
    uint8_t placed;

    if (scopes->caching_count == 0)
        return OK;
    TRY(model_setter_scopes(scopes->caching, scopes->caching_count, &inner, &resets, err));
    if (resets) {
        own = (struct device_spec){.has_job = false};
        op.hides = true;
    }
    TRY(device_spec_merge(&own, &inner, err));
    TRY(model_setter_choose(setter, &op, &inner, &placed, err));
    (void)device_spec_print(&inner, record->caching_device);
    return OK;
}

enum err_code
variable_place_new(struct model_setter *setter, struct store_txn *txn,
                   const struct variable_scopes *scopes, struct variable_record *record,
                   struct err *err)
{
    struct device_spec around;
    bool hidden = false;

    TRY(model_setter_scopes(scopes->around, scopes->count, &around, &hidden, err));
    TRY(model_setter_place_record(setter, txn, &around, hidden, record, err));
    return place_read(setter, scopes, &around, hidden, record, err);
}
