#include "store/lmdb/turn.h"

#include "store/base/check.h"

void
store_turn_init(struct store_turn *t)
{
    *t = (struct store_turn){.taken = false};
    lock_init(&t->lock);
    condition_init(&t->favoured);
    condition_init(&t->others);
}

void
store_turn_drop(struct store_turn *t)
{
    CHECK(!t->taken);
    condition_drop(&t->others);
    condition_drop(&t->favoured);
    lock_drop(&t->lock);
}

void
store_turn_take(struct store_turn *t, bool is_favoured)
{
    lock_acquire(&t->lock);
    if (is_favoured) {
        t->favoured_waiting++;
        while (t->taken)
            condition_wait(&t->favoured, &t->lock);
        t->favoured_waiting--;
    } else {
        while (t->taken || t->favoured_waiting > 0)
            condition_wait(&t->others, &t->lock);
    }
    t->taken = true;
    lock_release(&t->lock);
}

void
store_turn_give(struct store_turn *t)
{
    lock_acquire(&t->lock);
    CHECK(t->taken);
    t->taken = false;
    if (t->favoured_waiting > 0)
        condition_signal(&t->favoured);
    else
        condition_signal(&t->others);
    lock_release(&t->lock);
}
