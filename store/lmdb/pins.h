/* What leases keep: chunks of a family as one snapshot saw them.
 *
 * A pin needs a freed chunk when it is of its family, was made before the pin (its number is
 * smaller than the first one not yet given then) and was freed after the pin's revision. Chunks
 * made later cannot be in the snapshot, so overwriting a leased value again and again keeps its
 * first bytes alone. A pin of STORE_PINS_ALL_FAMILIES needs those of any family. */
#ifndef STORE_LMDB_PINS_H
#define STORE_LMDB_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/lock.h"

enum { STORE_PINS_ALL_FAMILIES = 0 }; /* the number of no family */

struct store_pin {
    struct store_pin *next, *previous; /* in its bucket */
    struct store_pin *sibling;         /* of the same lease */
    uint64_t family, number_end, revision;
};

struct store_pins {
    struct lock lock;
    struct store_pin **buckets; /* power of two; NULL while there is no pin */
    uint64_t bucket_count, count;
    uint64_t dropped; /* how many times pins were removed */
};

void store_pins_init(struct store_pins *p);
void store_pins_drop(struct store_pins *p);
/* Adds a pin at the head of *siblings; owned by the table until store_pins_remove. */
ERR_MUST_CHECK enum err_code store_pins_add(struct store_pins *p, struct store_pin **siblings,
                                            uint64_t family, uint64_t number_end, uint64_t revision,
                                            struct err *err);
/* Removes and frees every pin of a lease. */
void store_pins_remove(struct store_pins *p, struct store_pin *siblings);
bool store_pins_need(struct store_pins *p, uint64_t family, uint64_t id, uint64_t revision);
uint64_t store_pins_dropped(struct store_pins *p);

#endif
