/* What a writer makes: files, each a list of runs of bytes that lie somewhere already. Nothing is
 * copied but what is small; the length of everything is known before the first byte is sent. */
#ifndef API_WIRE_LAYOUT_H
#define API_WIRE_LAYOUT_H

#include "api/tensors/digest.h"
#include "service/variable/tensor_set.h"
#include "store/base/arena.h"
#include "store/base/buf.h"

struct api_layout_file {
    const char *name; /* in the arena; no slashes */
    size_t span_first, span_count;
    size_t sum_first, sum_count; /* what is known of its bytes, front to back */
    uint64_t size;
};

/* In the arena, all of it. */
struct api_layout {
    struct arena *arena; /* borrowed */
    struct bytes *spans; /* none empty */
    size_t span_count, span_capacity;
    struct api_sum *sums;
    size_t sum_count, sum_capacity;
    struct api_layout_file *files;
    size_t file_count, file_capacity;
};

void api_layout_init(struct api_layout *layout, struct arena *arena);
/* What is added from now on is of this file. */
ERR_MUST_CHECK enum err_code api_layout_file(struct api_layout *layout, const char *name,
                                             struct err *err);
/* Lent bytes: they must live as long as the layout is used. Of many of them no checksum is known.
 */
ERR_MUST_CHECK enum err_code api_layout_lend(struct api_layout *layout, struct bytes bytes,
                                             struct err *err);
/* Copied into the arena. */
ERR_MUST_CHECK enum err_code api_layout_copy(struct api_layout *layout, struct bytes bytes,
                                             struct err *err);
/* The bytes of a file of another layout, lent, with what is known of them. */
ERR_MUST_CHECK enum err_code api_layout_lend_file(struct api_layout *layout,
                                                  const struct api_layout *from, size_t file,
                                                  struct err *err);
/* The bytes of entry i of a set, lent. */
ERR_MUST_CHECK enum err_code api_layout_entry(struct api_layout *layout,
                                              const struct tensor_set *set, size_t i,
                                              struct err *err);

#endif
