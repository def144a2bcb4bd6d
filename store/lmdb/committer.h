/* The one thread that commits: takes what is waiting, commits it together, answers each caller, and
 * in between deletes garbage and keeps the interval. */
#ifndef STORE_LMDB_COMMITTER_H
#define STORE_LMDB_COMMITTER_H

#include <pthread.h>

#include "store/base/lock.h"
#include "store/lmdb/garbage.h"
#include "store/store.h"

/* More calls than this waiting: ERR_BUSY. */
enum { STORE_QUEUE_UNITS_MAX = 8192 };

/* A caller's request; lives on its stack until it is answered. */
struct store_call {
    struct store_call *next;
    store_unit *unit;
    void *context;
    struct store_stage *stage;
    bool durable, quiet;
    enum err_code code;
    struct err *err; /* the caller's; may be NULL */
    uint64_t revision;
    bool changed; /* the unit did something: what was staged for it is named */
    struct latch answered;
};

struct store_committer {
    pthread_t thread;
    bool running;
    struct lock lock;
    struct condition work;
    struct store_call *first, *last;
    unsigned waiting;
    bool closing, poked;
    uint64_t relief_asked, relief_given; /* rounds of making room */
    struct condition relieved;
};

void store_committer_init(struct store_committer *c);
void store_committer_drop(struct store_committer *c);
ERR_MUST_CHECK enum err_code store_committer_start(struct store *store, struct err *err);
bool store_committer_is_this_thread(const struct store *store);
/* Deletes what garbage can be deleted now and makes its pages reusable. Not on the committer's
 * thread. */
void store_committer_relieve(struct store *store);
/* There is something to look at: garbage given by another thread, say. */
void store_committer_poke(struct store *store);
/* No new calls; waits until the queue is empty and the garbage gone, as far as it can go. */
void store_committer_stop(struct store *store);

#endif
