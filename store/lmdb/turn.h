/* A lock with a favourite: while one of the favoured waits, no other gets it. Plain mutexes let a
 * busy thread take theirs again before a waiter wakes up. */
#ifndef STORE_LMDB_TURN_H
#define STORE_LMDB_TURN_H

#include "store/base/lock.h"

struct store_turn {
    struct lock lock;
    struct condition favoured, others;
    unsigned favoured_waiting;
    bool taken;
};

void store_turn_init(struct store_turn *t);
void store_turn_drop(struct store_turn *t);
void store_turn_take(struct store_turn *t, bool is_favoured);
void store_turn_give(struct store_turn *t);

#endif
