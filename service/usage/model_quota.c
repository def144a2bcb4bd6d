#include "service/usage/model_quota.h"

#include <inttypes.h>

#include "service/record/record.h"

enum err_code
model_quota_check(const struct usage_record *usage, struct err *err)
{
    const struct model_quota *quota = &usage->quota;
    uint64_t bytes = usage->bytes + usage->checkpoint_bytes;

    if (bytes < usage->bytes)
        bytes = UINT64_MAX;
    if (quota->bytes.set && bytes > quota->bytes.most)
        return err_set(err, ERR_FULL,
                       "the model's values and checkpoints would have %" PRIu64
                       " bytes, its quota is %" PRIu64,
                       bytes, quota->bytes.most);
    if (quota->variables.set && usage->variables > quota->variables.most)
        return err_set(err, ERR_FULL,
                       "the model would have %" PRIu64 " variables, its quota is %" PRIu64,
                       usage->variables, quota->variables.most);
    return OK;
}

enum err_code
model_quota_expect(const struct store_view *view, uint64_t model_id, uint64_t more_bytes,
                   struct err *err)
{
    struct usage_record usage;

    TRY(record_get_usage(view, model_id, &usage, err));
    if (!usage.quota.bytes.set)
        return OK;
    if (__builtin_add_overflow(usage.bytes, more_bytes, &usage.bytes))
        usage.bytes = UINT64_MAX;
    usage.quota.variables.set = false; /* that is looked at in the commit */
    return model_quota_check(&usage, err);
}

enum err_code
model_quota_foresee(const struct store_view *view, uint64_t model_id, uint64_t variables,
                    int64_t bytes, struct err *err)
{
    struct usage_record usage;

    if (variables == 0 && bytes <= 0)
        return OK; /* what takes no more is not looked at */
    TRY(record_get_usage(view, model_id, &usage, err));
    usage.variables += variables;
    usage.bytes += (uint64_t)bytes;
    return model_quota_check(&usage, err);
}
