/* Files that belong together, by name: one file, the members of an archive, a folder's. Names are
 * only compared and shown; they never become paths. Borrows names and descriptors. */
#ifndef API_FILE_FILE_SET_H
#define API_FILE_FILE_SET_H

#include "api/file/file.h"
#include "store/base/arena.h"

struct api_file_entry {
    struct bytes name; /* any bytes, as the archive has them */
    struct api_file file;
};

struct api_file_set {
    struct api_file_entry *entries; /* in the arena; sorted by name once api_file_set_sort ran */
    size_t count, capacity;
};

/* The name is copied into the arena. */
ERR_MUST_CHECK enum err_code api_file_set_add(struct api_file_set *set, struct arena *arena,
                                              struct bytes name, const struct api_file *file,
                                              struct err *err);
/* By name, bytewise. ERR_INVALID_ARGUMENT when two have the same. */
ERR_MUST_CHECK enum err_code api_file_set_sort(struct api_file_set *set, struct err *err);
/* Of a sorted set; NULL when there is none of that name. */
const struct api_file *api_file_set_find(const struct api_file_set *set, struct bytes name);

#endif
