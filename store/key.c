#include "store/key.h"

void
store_key_put_u32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

void
store_key_put_u64(uint8_t *out, uint64_t value)
{
    store_key_put_u32(out, (uint32_t)(value >> 32));
    store_key_put_u32(out + 4, (uint32_t)value);
}

static uint32_t
get_u32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | (uint32_t)in[3];
}

static uint64_t
get_u64(const uint8_t *in)
{
    return (uint64_t)get_u32(in) << 32 | get_u32(in + 4);
}

struct store_key
store_key_kind(uint8_t kind)
{
    return (struct store_key){.bytes = {kind}, .size = 1};
}

static struct store_key
key_with_id(uint8_t kind, uint64_t id)
{
    struct store_key key = store_key_kind(kind);

    store_key_put_u64(key.bytes + 1, id);
    key.size = 9;
    return key;
}

struct store_key
store_key_value(uint64_t id)
{
    return key_with_id(STORE_KEY_VALUE, id);
}

struct store_key
store_key_data(uint64_t id)
{
    return key_with_id(STORE_KEY_DATA, id);
}

struct store_key
store_key_lists(uint64_t id)
{
    return key_with_id(STORE_KEY_LIST, id);
}

struct store_key
store_key_list(uint64_t id, uint32_t segment)
{
    struct store_key key = store_key_lists(id);

    store_key_put_u32(key.bytes + key.size, segment);
    key.size = 13;
    return key;
}

struct store_key
store_key_families(uint64_t family)
{
    return key_with_id(STORE_KEY_FAMILY, family);
}

struct store_key
store_key_family(uint64_t family, uint64_t id)
{
    struct store_key key = store_key_families(family);

    store_key_put_u64(key.bytes + key.size, id);
    key.size = 17;
    return key;
}

bool
store_key_parse_id(struct bytes key, uint8_t kind, uint64_t *id)
{
    if (key.size != 9 || key.data[0] != kind)
        return false;
    *id = get_u64(key.data + 1);
    return true;
}

bool
store_key_parse_list(struct bytes key, uint64_t *id, uint32_t *segment)
{
    if (key.size != 13 || key.data[0] != STORE_KEY_LIST)
        return false;
    *id = get_u64(key.data + 1);
    *segment = get_u32(key.data + 9);
    return true;
}

bool
store_key_parse_family(struct bytes key, uint64_t *family, uint64_t *id)
{
    if (key.size != 17 || key.data[0] != STORE_KEY_FAMILY)
        return false;
    *family = get_u64(key.data + 1);
    *id = get_u64(key.data + 9);
    return true;
}
