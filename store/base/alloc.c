#include "store/base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Large tensors ask for huge pages: touching 8 MiB for the first time costs a tenth. Without them
 * the kernel gives small ones. */
enum { ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20, HUGE_BYTES_MIN = 2 * HUGE_PAGE_BYTES };

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

void *
mem_alloc(size_t size, struct err *err)
{
    return checked(must_fail() ? NULL : malloc(size ? size : 1), size, err);
}

void *
mem_zeroed(size_t count, size_t size, struct err *err)
{
    size_t total = 0;

    if (__builtin_mul_overflow(count, size, &total))
        return checked(NULL, SIZE_MAX, err);
    return checked(must_fail() ? NULL : calloc(1, total ? total : 1), total, err);
}

/* For the huge pages that lie wholly within. To align the block itself to one would leave holes:
 * glibc does not put a freed aligned block to the same use again. */
static void
want_huge(uint8_t *memory, size_t size)
{
    size_t skip = (HUGE_PAGE_BYTES - (uintptr_t)memory % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;

    if (memory != NULL && size >= HUGE_BYTES_MIN)
        (void)madvise(memory + skip, (size - skip) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES,
                      MADV_HUGEPAGE); /* advice: refused, nothing is lost */
}

void *
mem_aligned(size_t size, struct err *err)
{
    size_t rounded = 0;
    void *memory;

    if (__builtin_add_overflow(size, (size_t)ALIGNMENT - 1, &rounded))
        return checked(NULL, size, err);
    rounded &= ~((size_t)ALIGNMENT - 1);
    memory = must_fail() ? NULL : aligned_alloc(ALIGNMENT, rounded ? rounded : ALIGNMENT);
    want_huge(memory, rounded);
    return checked(memory, size, err);
}

void *
mem_resize(void *old, size_t size, struct err *err)
{
    return checked(must_fail() ? NULL : realloc(old, size ? size : 1), size, err);
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
    free(memory);
}
