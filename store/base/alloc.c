/* Every block has a few bytes before it that say where the memory around it begins. So an aligned
 * block is an ordinary one, with room to move: glibc's own aligned blocks leave holes that are a
 * few bytes too small for the next one of the same size, and a heap of tensors that come and go
 * would grow with every one. */
#include "store/base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "store/base/check.h"

/* Large tensors ask for huge pages: touching 8 MiB for the first time costs a tenth. Without them
 * the kernel gives small ones. */
enum { ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20, HUGE_BYTES_MIN = 2 * HUGE_PAGE_BYTES };
enum { FIRST_CAPACITY = 16 }; /* of lists */

/* As long as malloc aligns, so that what follows it is aligned for everything too. */
struct head {
    _Alignas(max_align_t) void *begin;
};

/* Global because the failure counter must be reachable from every allocation. Beside the log, the
 * one mutable global of the tree. */
static struct {
    _Atomic uint64_t counted, fail_at;
    _Atomic int sticky;
} injection;

static int
must_fail(void)
{
    uint64_t fail_at = atomic_load_explicit(&injection.fail_at, memory_order_relaxed);
    uint64_t n;

    if (fail_at == 0)
        return 0;
    n = atomic_fetch_add(&injection.counted, 1) + 1;
    return n == fail_at || (n > fail_at && atomic_load(&injection.sticky));
}

uint64_t
mem_fail_at(uint64_t nth, int sticky)
{
    uint64_t counted = atomic_exchange(&injection.counted, 0);

    atomic_store(&injection.sticky, sticky);
    atomic_store(&injection.fail_at, nth);
    return counted;
}

static void *
checked(void *memory, size_t size, struct err *err)
{
    if (memory == NULL)
        (void)err_set(err, ERR_NO_MEMORY, "out of memory: %zu bytes were not to be had", size);
    return memory;
}

static struct head *
head_of(void *memory)
{
    return (struct head *)memory - 1;
}

/* The block after its head; begin NULL: there was no memory. */
static void *
block_of(void *begin)
{
    struct head *head = begin;

    if (begin == NULL)
        return NULL;
    head->begin = begin;
    return head + 1;
}

/* False when it is too large for any memory. */
static bool
size_with_head(size_t size, size_t more, size_t *out)
{
    return !__builtin_add_overflow(size, sizeof(struct head) + more, out) && *out <= PTRDIFF_MAX;
}

void *
mem_alloc(size_t size, struct err *err)
{
    size_t whole = 0;
    bool possible = size_with_head(size, 0, &whole);

    return checked(must_fail() || !possible ? NULL : block_of(malloc(whole)), size, err);
}

void *
mem_zeroed(size_t count, size_t size, struct err *err)
{
    size_t total = 0, whole = 0;
    bool possible =
        !__builtin_mul_overflow(count, size, &total) && size_with_head(total, 0, &whole);

    if (!possible)
        return checked(NULL, SIZE_MAX, err);
    return checked(must_fail() ? NULL : block_of(calloc(1, whole)), total, err);
}

/* For the huge pages that lie wholly within. */
static void
want_huge(uint8_t *memory, size_t size)
{
    size_t skip = (HUGE_PAGE_BYTES - (uintptr_t)memory % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;

    if (size >= HUGE_BYTES_MIN)
        (void)madvise(memory + skip, (size - skip) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES,
                      MADV_HUGEPAGE); /* advice: refused, nothing is lost */
}

void *
mem_aligned(size_t size, struct err *err)
{
    size_t whole = 0;
    bool possible = size_with_head(size, ALIGNMENT, &whole);
    uint8_t *begin = must_fail() || !possible ? NULL : malloc(whole), *memory;

    if (begin == NULL)
        return checked(NULL, size, err);
    memory = begin + sizeof(struct head);
    memory += (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT;
    head_of(memory)->begin = begin;
    want_huge(memory, size);
    return memory;
}

void *
mem_resize(void *old, size_t size, struct err *err)
{
    void *begin = old == NULL ? NULL : head_of(old)->begin;
    size_t whole = 0;
    bool possible = size_with_head(size, 0, &whole);

    CHECK(old == NULL || begin == head_of(old)); /* an aligned block cannot grow */
    return checked(must_fail() || !possible ? NULL : block_of(realloc(begin, whole)), size, err);
}

void *
mem_grown(void *items, size_t count, size_t *capacity, size_t size, struct err *err)
{
    size_t wanted = 0, bytes = 0;
    void *grown;

    if (count < *capacity)
        return items;
    if (__builtin_mul_overflow(*capacity > 0 ? *capacity : FIRST_CAPACITY / 2, 2, &wanted) ||
        __builtin_mul_overflow(wanted, size, &bytes)) {
        (void)err_set(err, ERR_NO_MEMORY, "out of memory for a list of %zu items", count);
        return NULL;
    }
    grown = mem_resize(items, bytes, err);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

char *
mem_copy_text(const char *text, size_t length, struct err *err)
{
    char *copy = mem_alloc(length + 1, err);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void
mem_free(void *memory)
{
    if (memory != NULL)
        free(head_of(memory)->begin);
}

void
mem_free_scope(void *pointer)
{
    void *memory;

    memcpy(&memory, pointer, sizeof memory);
    mem_free(memory);
}
