/* The files of a checkpoint that lies below the root, opened. */
#ifndef API_FILE_CHECKPOINT_FILES_H
#define API_FILE_CHECKPOINT_FILES_H

#include "api/file/file_set.h"
#include "api/file/root.h"

enum {
    API_CHECKPOINT_FILES_MAX = 512,          /* open at once, of one checkpoint */
    API_CHECKPOINT_NAMES_LOOKED_AT = 1 << 20 /* in the directory they lie in */
};

/* Owned: api_checkpoint_files_drop, after everything that reads them. */
struct api_checkpoint_files {
    struct api_file_set set; /* by their names without directories; not sorted */
};

/* *prefix: which checkpoint of a directory; NULL: see below, and afterwards when that was found.
 * `path` may be
 *
 *   a file of any format, or an archive; of "P.index", all files of P; of
 *     "P.safetensors.index.json", the files it is about
 *   a prefix P as TensorFlow has it: P.index with its P.data-?????-of-?????, or the shards
 *     P-?????-of-?????; the latter also as a pattern with question marks
 *   a directory with a file "checkpoint": the latest of that. An absolute path in it is another
 *     computer's: its last component is looked for in the directory.
 *
 * ERR_NOT_FOUND, ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code
api_checkpoint_files_open(const struct api_root *root, const char *path, const char **prefix,
                          struct arena *arena, struct api_checkpoint_files *out, struct err *err);
void api_checkpoint_files_drop(struct api_checkpoint_files *files);

#endif
