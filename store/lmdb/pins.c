#include "store/lmdb/pins.h"

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/lmdb/chunk.h"

enum { BUCKETS_FIRST = 64 };

void
store_pins_init(struct store_pins *p)
{
    *p = (struct store_pins){0};
    lock_init(&p->lock);
}

void
store_pins_drop(struct store_pins *p)
{
    CHECK(p->count == 0);
    mem_free(p->buckets);
    lock_drop(&p->lock);
}

static struct store_pin **
bucket_of(struct store_pins *p, uint64_t family)
{
    uint64_t mixed = family * 0x9e3779b97f4a7c15u;

    return &p->buckets[(mixed >> 32) & (p->bucket_count - 1)];
}

static void
link_pin(struct store_pins *p, struct store_pin *pin)
{
    struct store_pin **bucket = bucket_of(p, pin->family);

    pin->previous = NULL;
    pin->next = *bucket;
    if (pin->next != NULL)
        pin->next->previous = pin;
    *bucket = pin;
}

static enum err_code
grow(struct store_pins *p, struct err *err)
{
    struct store_pins old = *p;
    uint64_t count = old.bucket_count == 0 ? BUCKETS_FIRST : old.bucket_count * 2;
    struct store_pin **buckets = mem_zeroed(count, sizeof(struct store_pin *), err);

    if (buckets == NULL)
        return ERR_NO_MEMORY;
    p->buckets = buckets;
    p->bucket_count = count;
    for (uint64_t i = 0; i < old.bucket_count; i++) {
        struct store_pin *pin = old.buckets[i];

        while (pin != NULL) {
            struct store_pin *next = pin->next;

            link_pin(p, pin);
            pin = next;
        }
    }
    mem_free(old.buckets);
    return OK;
}

enum err_code
store_pins_add(struct store_pins *p, struct store_pin **siblings, uint64_t family,
               uint64_t number_end, uint64_t revision, struct err *err)
{
    struct store_pin *pin = mem_alloc(sizeof *pin, err);
    enum err_code code = OK;

    if (pin == NULL)
        return ERR_NO_MEMORY;
    *pin = (struct store_pin){
        .sibling = *siblings, .family = family, .number_end = number_end, .revision = revision};
    lock_acquire(&p->lock);
    if (p->count >= p->bucket_count)
        code = grow(p, err);
    if (code == OK) {
        link_pin(p, pin);
        p->count++;
        *siblings = pin;
    }
    lock_release(&p->lock);
    if (code != OK)
        mem_free(pin);
    return code;
}

void
store_pins_remove(struct store_pins *p, struct store_pin *siblings)
{
    lock_acquire(&p->lock);
    while (siblings != NULL) {
        struct store_pin *pin = siblings;

        siblings = pin->sibling;
        if (pin->previous == NULL)
            *bucket_of(p, pin->family) = pin->next;
        else
            pin->previous->next = pin->next;
        if (pin->next != NULL)
            pin->next->previous = pin->previous;
        p->count--;
        mem_free(pin);
    }
    p->dropped++;
    lock_release(&p->lock);
}

static bool
is_needed_by(struct store_pins *p, uint64_t family, uint64_t id, uint64_t revision)
{
    for (struct store_pin *pin = *bucket_of(p, family); pin != NULL; pin = pin->next) {
        if (pin->family == family && store_chunk_number(id) < pin->number_end &&
            pin->revision < revision)
            return true;
    }
    return false;
}

bool
store_pins_need(struct store_pins *p, uint64_t family, uint64_t id, uint64_t revision)
{
    bool needed;

    lock_acquire(&p->lock);
    needed = p->count > 0 && (is_needed_by(p, family, id, revision) ||
                              is_needed_by(p, STORE_PINS_ALL_FAMILIES, id, revision));
    lock_release(&p->lock);
    return needed;
}

uint64_t
store_pins_dropped(struct store_pins *p)
{
    uint64_t dropped;

    lock_acquire(&p->lock);
    dropped = p->dropped;
    lock_release(&p->lock);
    return dropped;
}
