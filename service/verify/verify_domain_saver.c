/* Savers: what they save, and the lists of their last checkpoints. */
#include <inttypes.h>

#include "service/saving/saver.h"
#include "service/verify/verify_domain_parts.h"

struct saver_check {
    uint64_t model_id;
    struct saver_record record;
    struct bytes name;
    uint64_t variables, lasts, listed;
};

static enum err_code
visit_saved(struct domain_check *c, void *context, struct bytes key, struct bytes record,
            struct err *err)
{
    struct saver_check *s = context;
    char variable[NAME_BYTES_MAX + 1];

    (void)key;
    s->variables++;
    c->seen.saved++;
    return record_decode_saved(record, variable, err);
}

/* Each is found by its name again. That there is such a checkpoint is not said: what one saver has
 * removed stays named in the lists of others. */
static enum err_code
visit_last(struct domain_check *c, void *context, struct bytes key, struct bytes record,
           struct err *err)
{
    struct saver_check *s = context;
    struct last_record last;
    uint64_t place = 0;

    s->lasts++;
    c->seen.lasts++;
    TRY(record_decode_last(record, &last, err));
    TRY(record_get_listed(c->view, s->record.id, last.name, &place, err));
    if (place != record_key_position(key) || place >= s->record.next_place)
        verify_domain_finding(c, "checkpoint '%s' is not at its place in the list of saver '%.*s'",
                              last.name, (int)s->name.size, (const char *)s->name.data);
    return OK;
}

static enum err_code
visit_listed(struct domain_check *c, void *context, struct bytes key, struct bytes record,
             struct err *err)
{
    struct saver_check *s = context;

    (void)key;
    (void)record;
    (void)err;
    s->listed++;
    c->seen.listed++;
    return OK;
}

static enum err_code
visit_saver(struct domain_check *c, void *context, struct bytes key, struct bytes record,
            struct err *err)
{
    const uint64_t *model_id = context;
    struct saver_check s = {.model_id = *model_id, .name = record_key_name(key)};
    struct record_key saved, lasts, listed;

    c->seen.savers++;
    TRY(record_decode_saver(record, &s.record, err));
    saved = record_key_saved(s.record.id, bytes_of("", 0));
    lasts = record_key_lasts(s.record.id);
    listed = record_key_listed(s.record.id, "");
    TRY(verify_domain_scan(c, &saved, visit_saved, &s, err));
    TRY(verify_domain_scan(c, &lasts, visit_last, &s, err));
    TRY(verify_domain_scan(c, &listed, visit_listed, &s, err));
    if (s.variables != s.record.variables || s.lasts != s.record.listed ||
        s.listed != s.record.listed)
        verify_domain_finding(c,
                              "saver '%.*s' has %" PRIu64 " variables and %" PRIu64 " (%" PRIu64
                              " by name) last checkpoints, its record says %" PRIu64
                              " and %" PRIu64,
                              (int)s.name.size, (const char *)s.name.data, s.variables, s.lasts,
                              s.listed, s.record.variables, s.record.listed);
    return OK;
}

enum err_code
verify_domain_savers(struct domain_check *c, uint64_t model_id, struct err *err)
{
    struct record_key savers = record_key_saver(model_id, "");

    return verify_domain_scan(c, &savers, visit_saver, &model_id, err);
}
