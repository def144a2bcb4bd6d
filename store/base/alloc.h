/* Memory: every allocation of ours goes through here, so that tests can make the n-th one fail.
 *
 * mem_* return NULL and set ERR_NO_MEMORY when memory is short. Size 0 gives a unique pointer.
 * Sizes that come from outside are limited by the caller before they get here. What is had here is
 * given back here: the C library's free() does not know these blocks, nor mem_free its. */
#ifndef STORE_BASE_ALLOC_H
#define STORE_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

/* Owns: release with mem_free. mem_zeroed fails cleanly when count * size overflows. */
void *mem_alloc(size_t size, struct err *err) __attribute__((warn_unused_result, malloc));
void *mem_zeroed(size_t count, size_t size, struct err *err)
    __attribute__((warn_unused_result, malloc));
/* 64-byte aligned, for tensors. Release with mem_free; not for mem_resize. */
void *mem_aligned(size_t size, struct err *err) __attribute__((warn_unused_result, malloc));
/* Takes `old` on success; on failure `old` is untouched and still owned by the caller. */
void *mem_resize(void *old, size_t size, struct err *err) __attribute__((warn_unused_result));
/* `items` (NULL: none yet) with room for one more than `count`, of `size` bytes each: itself, or in
 * its place a block that is twice as large. Takes and leaves it as mem_resize does. */
void *mem_grown(void *items, size_t count, size_t *capacity, size_t size, struct err *err)
    __attribute__((warn_unused_result));
char *mem_copy_text(const char *text, size_t length, struct err *err)
    __attribute__((warn_unused_result));
void mem_free(void *memory);
/* For scopes: AUTO_CALL(mem_free_scope) type *x. Takes the address of the pointer, of any type. */
void mem_free_scope(void *pointer);

/* Test hook: the n-th allocation from now on fails (1 = the next), with `sticky` all later ones
 * too; 0 switches it off. Returns how many allocations were counted since the last call. */
uint64_t mem_fail_at(uint64_t nth, int sticky);

#endif
