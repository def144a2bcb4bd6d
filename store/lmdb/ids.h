/* A sorted set of chunk ids: filled, sorted once, then asked. */
#ifndef STORE_LMDB_IDS_H
#define STORE_LMDB_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

struct store_ids {
    uint64_t *ids;
    size_t count, capacity;
    bool failed; /* memory ran out: the set is not whole */
};

void store_ids_drop(struct store_ids *s);
/* Failure is remembered; store_ids_sort reports it. */
void store_ids_add(struct store_ids *s, uint64_t id);
ERR_MUST_CHECK enum err_code store_ids_sort(struct store_ids *s, struct err *err);
bool store_ids_has(const struct store_ids *s, uint64_t id);

#endif
