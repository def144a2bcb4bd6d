/* Reading a store as a whole (store/transfer.h). */
#include "store/transfer.h"

#include <stdlib.h>

#include "store/lmdb/engine.h"
#include "store/lmdb/view.h"

struct store_state
store_state_of(const struct store_view *view)
{
    const struct store *store = view->store;

    return (struct store_state){.identity = strtoull(store->identity, NULL, 16),
                                .incarnation = store->incarnation,
                                .revision = view->revision,
                                .origin = store->origin};
}

enum err_code
store_chunk_examine(struct store *store, uint64_t id, struct store_chunk_look *out, struct err *err)
{
    struct bytes record;

    TRY(store_interrupt_check(store, err));
    TRY(store_chunk_find(store, id, &record, err));
    TRY(store_chunk_check_alone(record, id, err));
    *out = (struct store_chunk_look){
        .place = store_chunk_place_of(record),
        .crc = store_chunk_payload_crc(record),
        .payload = bytes_of(record.data + STORE_CHUNK_HEAD_BYTES, store_chunk_length(record))};
    return OK;
}
