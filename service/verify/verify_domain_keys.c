/* Whether keys are such as the program writes, which whoever takes one apart relies on; and the log
 * of changes, whose records belong to no model. */
#include <inttypes.h>

#include "service/name.h"
#include "service/record/record_change.h"
#include "service/verify/verify_domain_parts.h"
#include "store/key.h"

enum { ID = 1 + sizeof(uint64_t) /* bytes of a kind and an id */ };

struct key_form {
    uint8_t kind;
    size_t least, most; /* bytes */
};

static const struct key_form forms[] = {
    {STORE_KEY_MODEL, 2, 1 + NAME_MODEL_BYTES_MAX},
    {STORE_KEY_VARIABLE, ID + 1, ID + NAME_BYTES_MAX},
    {STORE_KEY_CHECKPOINT, ID + 1, ID + NAME_BYTES_MAX},
    {STORE_KEY_TENSOR, ID, ID + NAME_TENSOR_BYTES_MAX},
    {STORE_KEY_ORDER, ID + 8, ID + 8},
    {STORE_KEY_NAME, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_USAGE, ID, ID},
    {STORE_KEY_SETTER, ID, ID},
    {STORE_KEY_PLACE, ID + 8, ID + 8},
    {STORE_KEY_APPLIES, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_SCOPE, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_OPTIMIZER, ID + 1, ID + NAME_BYTES_MAX},
    {STORE_KEY_AVERAGE, ID + 1, ID + NAME_BYTES_MAX},
    {STORE_KEY_MEMBER, ID + 1, ID + NAME_BYTES_MAX},
    {STORE_KEY_ACCUMULATION, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_SUM, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_WORKER, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_ACCUMULATOR, ID + 1, ID + NAME_BYTES_MAX},
    {STORE_KEY_STEPS, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_SAVER, ID + 1, ID + NAME_BYTES_MAX},
    {STORE_KEY_SAVED, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_LAST, ID + 8, ID + 8},
    {STORE_KEY_LISTED, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_EXPIRY, ID, STORE_KEY_BYTES_MAX},
    {STORE_KEY_HISTORY, ID + 8, ID + 8},
    {STORE_KEY_SNAPSHOT, ID + 16, ID + 16},
    {STORE_KEY_KEPT, 1, 1},
};

static enum err_code
visit_key(struct domain_check *c, void *context, struct bytes key, struct bytes record,
          struct err *err)
{
    const struct key_form *form = context;

    (void)record;
    (void)err;
    if (key.size < form->least || key.size > form->most)
        verify_domain_finding(c, "a record of kind '%c' has a key of %zu bytes: it has %zu to %zu",
                              form->kind, key.size, form->least, form->most);
    return OK;
}

enum err_code
verify_domain_keys(struct domain_check *c, bool *well, struct err *err)
{
    const uint64_t before = c->report->findings;

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct record_key prefix = {.bytes = {forms[i].kind}, .size = 1};
        struct key_form form = forms[i];

        TRY(verify_domain_scan(c, &prefix, visit_key, &form, err));
    }
    *well = c->report->findings == before;
    return OK;
}

/* --- the log of changes -------------------------------------------------------------------- */

static enum err_code
pass(void *context, const struct change *change, bool *enough, struct err *err)
{
    (void)context;
    (void)change;
    (void)enough;
    (void)err;
    return OK;
}

static enum err_code
visit_log(struct domain_check *c, void *context, struct bytes key, struct bytes record,
          struct err *err)
{
    const uint64_t newest = store_view_revision(c->view);
    struct record_key whole = record_key_changes(0, 0);
    bool *begins = context, enough = false;
    struct change_log_record log = {.floor = 0};

    if (key.size == 1) {
        *begins = true;
        TRY(record_get_change_log(c->view, begins, &log, err));
        if (log.floor > newest || log.counted > newest)
            verify_domain_finding(c,
                                  "the log of changes begins at revision %" PRIu64
                                  " and is counted up to %" PRIu64 ", the store has %" PRIu64,
                                  log.floor, log.counted, newest);
        return OK;
    }
    if (key.size != whole.size || record_key_change_revision(key) > newest) {
        verify_domain_finding(c, "the log of changes has a record that is of no commit");
        return OK;
    }
    if (!*begins)
        verify_domain_finding(c, "the changes of revision %" PRIu64 " are in a log without begin",
                              record_key_change_revision(key));
    return record_each_change(key, record, pass, NULL, &enough, err);
}

enum err_code
verify_domain_changes(struct domain_check *c, struct err *err)
{
    struct record_key log = record_key_change_log();
    bool begins = false;

    return verify_domain_scan(c, &log, visit_log, &begins, err);
}
