/* The values that checkpoints and variables name. */
#include "service/state.h"
#include "service/usage/tally.h"
#include "store/base/scope.h"

enum err_code
service_tally_add_checkpoint(struct service_tally *tally, uint32_t owner,
                             const struct checkpoint_record *checkpoint, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_tensor(checkpoint->id, bytes_of("", 0));
    struct bytes key, record;
    bool found = true;

    TRY(service_tally_add(tally, owner, &checkpoint->metadata, err));
    TRY(store_cursor_open(tally->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct tensor_record tensor;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        TRY(record_decode_tensor(record, &tensor, err));
        TRY(service_tally_add(tally, owner, &tensor.value, err));
    }
}

enum err_code
service_tally_add_variables(struct service_tally *tally, uint32_t owner, uint64_t model_id,
                            struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_variable(model_id, "");
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(tally->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct variable_record variable;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(record, &variable, err));
        TRY(service_tally_add(tally, owner, &variable.initial_value, err));
        TRY(service_tally_add(tally, owner, &variable.initialized_with, err));
        TRY(service_tally_add(tally, owner, &variable.part_devices, err));
        TRY(service_tally_add(tally, owner, &variable.value, err));
    }
}

enum err_code
service_tally_add_model(struct service_tally *tally, uint64_t model_id, uint32_t *group,
                        struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_checkpoint(model_id, "");
    struct bytes key, record;
    uint32_t owner = 0;
    bool found = true;

    TRY(service_tally_group(tally, group, err));
    TRY(service_tally_owner(tally, *group, false, &owner, err));
    TRY(service_tally_add_variables(tally, owner, model_id, err));
    TRY(store_cursor_open(tally->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct checkpoint_record checkpoint;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        TRY(record_decode_checkpoint(record, &checkpoint, err));
        TRY(service_tally_owner(tally, *group, true, &owner, err));
        TRY(service_tally_add_checkpoint(tally, owner, &checkpoint, err));
    }
}
