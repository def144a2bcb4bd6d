/* A mutex that knows its owner, a condition to wait on, and a latch for what happens once.
 * lock_check_held says in code what a comment would have said. All calls abort on misuse. */
#ifndef STORE_BASE_LOCK_H
#define STORE_BASE_LOCK_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    pthread_mutex_t mutex;
    pthread_t owner;
    bool held;
};

void lock_init(struct lock *l);
void lock_drop(struct lock *l);
void lock_acquire(struct lock *l);
void lock_release(struct lock *l);
void lock_check_held(struct lock *l);

struct condition {
    pthread_cond_t cond; /* CLOCK_MONOTONIC */
};

void condition_init(struct condition *c);
void condition_drop(struct condition *c);
void condition_wait(struct condition *c, struct lock *l);
/* False when timeout_ms passed without a signal. */
bool condition_wait_ms(struct condition *c, struct lock *l, uint64_t timeout_ms);
/* With the lock or after it: after it is cheaper, for whoever wakes up then finds it free. */
void condition_signal(struct condition *c);
void condition_broadcast(struct condition *c);

/* Opened once. Whoever has waited may drop it at once, while latch_open has not returned yet. */
struct latch {
    sem_t opened;
};

void latch_init(struct latch *l);
void latch_drop(struct latch *l);
void latch_open(struct latch *l);
void latch_wait(struct latch *l);

#endif
