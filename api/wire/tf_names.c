#include "api/wire/tf_names.h"

static const char any[] = "?????", between[] = "-of-";

static bool
read_digits(const uint8_t *text, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < API_TF_SHARD_DIGITS; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + text[i] - '0';
    }
    return true;
}

bool
api_tf_shard_read(const uint8_t text[static API_TF_SHARD_BYTES], uint32_t *number, uint32_t *count)
{
    const uint8_t *behind = text + API_TF_SHARD_DIGITS;

    if (memcmp(text, any, API_TF_SHARD_DIGITS) == 0)
        *number = API_TF_SHARD_ANY;
    else if (!read_digits(text, number))
        return false;
    return memcmp(behind, between, strlen(between)) == 0 &&
           read_digits(behind + strlen(between), count);
}

bool
api_tf_prefix_is(struct bytes prefix, struct bytes wanted)
{
    if (prefix.size > wanted.size && prefix.data[prefix.size - wanted.size - 1] == '/')
        prefix = bytes_of(prefix.data + prefix.size - wanted.size, wanted.size);
    return bytes_equal(prefix, wanted);
}
