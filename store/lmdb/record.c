#include "store/lmdb/record.h"

#include <stdio.h>

#include "store/base/crc32c.h"
#include "store/lmdb/wire.h"
#include "store/store.h"

static uint32_t
checksum(struct bytes key, struct bytes payload)
{
    return crc32c(crc32c(0, key.data, key.size), payload.data, payload.size);
}

void
store_record_write(uint8_t *out, struct bytes key, struct bytes payload)
{
    uint8_t head[STORE_RECORD_HEAD_BYTES] = {STORE_RECORD_VERSION};

    wire_put_u32(head + 4, checksum(key, payload));
    memcpy(out, head, sizeof head);
    if (payload.size != 0)
        memcpy(out + sizeof head, payload.data, payload.size);
}

/* Keys are binary: what can be printed is, the rest as \xx. */
static void
describe_key(char *out, size_t size, struct bytes key)
{
    size_t used = 0;

    for (size_t i = 0; i < key.size && used + 5 < size; i++) {
        if (key.data[i] > ' ' && key.data[i] < 127 && key.data[i] != '\\')
            out[used++] = (char)key.data[i];
        else
            used += (size_t)snprintf(out + used, size - used, "\\%02x", key.data[i]);
    }
    out[used] = '\0';
}

/* What claims to be larger than any record may end behind the file: it is not looked into. */
static bool
has_size(struct bytes stored)
{
    return stored.size >= STORE_RECORD_HEAD_BYTES &&
           stored.size <= STORE_RECORD_HEAD_BYTES + (size_t)STORE_RECORD_BYTES_MAX;
}

enum err_code
store_record_read(struct bytes key, struct bytes stored, struct bytes *payload, struct err *err)
{
    char name[128];
    struct bytes body;

    if (has_size(stored) && stored.data[0] == STORE_RECORD_VERSION) {
        body =
            bytes_of(stored.data + STORE_RECORD_HEAD_BYTES, stored.size - STORE_RECORD_HEAD_BYTES);
        if (wire_get_u32(stored.data + 4) == checksum(key, body)) {
            *payload = body;
            return OK;
        }
    }
    describe_key(name, sizeof name, key);
    return err_set(err, ERR_DATA_LOSS, "the record at key '%s' (%zu bytes) is damaged", name,
                   stored.size);
}
