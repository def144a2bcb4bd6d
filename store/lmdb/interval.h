/* Interval durability: sync points instead of synced commits. */
#ifndef STORE_LMDB_INTERVAL_H
#define STORE_LMDB_INTERVAL_H

#include <stdint.h>

#include "store/base/err.h"

struct store;
struct store_interval {
    uint64_t last_ms;
};

#endif
