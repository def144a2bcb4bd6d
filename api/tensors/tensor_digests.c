#include "api/tensors/tensor_digests.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/guard/sha256.h"
#include "api/http/negotiate.h"
#include "api/json/chars.h"
#include "api/resource/describe.h"
#include "store/base/scope.h"

enum { TAG_BYTES_MAX = 64 };

enum err_code
api_tensor_digests_wanted(struct api_request *rq, bool *sha256, struct err *err)
{
    return api_negotiate_either(rq, NULL, "digest", "crc32c", "sha-256", sha256, err);
}

static enum err_code
set_one(struct api_request *rq, const char *tag, const struct tensor_set *set, size_t i,
        json_t *tensor, struct err *err)
{
    static const char prefix[] = "sha-256:";
    const struct tensor_set_entry *entry = &set->entries[i];
    char text[sizeof prefix + 2 * API_SHA256_BYTES];
    uint8_t digest[API_SHA256_BYTES];

    TRY(api_sha256_of(rq, tag, bytes_of_text(entry->name), set->spans + entry->span_first,
                      entry->span_count, digest, err));
    memcpy(text, prefix, sizeof prefix);
    api_chars_hex(bytes_of(digest, sizeof digest), text + sizeof prefix - 1);
    return api_json_set(tensor, "digest", json_string(text), err);
}

enum err_code
api_tensor_digests_set(struct api_request *rq, const struct checkpoint_info *info, json_t *tensors,
                       struct err *err)
{
    AUTO(tensor_set) set = {0};
    AUTO(buf) metadata;
    struct checkpoint_info now;
    char tag[TAG_BYTES_MAX];

    buf_init(&metadata, CHECKPOINT_METADATA_BYTES_MAX);
    TRY(checkpoint_read_all(api_request_service(rq), api_request_model(rq), info->name, &now,
                            &metadata, &set, err));
    if (now.record.id != info->record.id || set.entry_count != json_array_size(tensors))
        return err_set(err, ERR_ABORTED,
                       "checkpoint '%s' was replaced while it was looked at: ask again",
                       info->name);
    snprintf(tag, sizeof tag, "checkpoint %" PRIu64 " of revision %" PRIu64, info->record.id,
             info->record.revision);
    for (size_t i = 0; i < set.entry_count; i++)
        TRY(set_one(rq, tag, &set, i, json_array_get(tensors, i), err));
    return OK;
}
