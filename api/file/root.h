/* The one directory of this computer that checkpoints may be read from and written to, when the
 * setting checkpoint_root names one. Paths come from clients: they are relative, and walked one
 * component after the other, so that neither ".." nor a symbolic link leads out of the root. What
 * is neither a file nor a directory is not opened. What is made has the permissions of the
 * directory it is made in. The store's own folder is out of bounds, wherever it lies. */
#ifndef API_FILE_ROOT_H
#define API_FILE_ROOT_H

#include <stdbool.h>

#include "api/file/file.h"

enum {
    API_ROOT_NAME_BYTES_MAX = 255, /* of a component, as file systems have it */
    API_ROOT_PATH_BYTES_MAX = 4096,
};

/* Owned: api_root_drop. */
struct api_root {
    int descriptor;
    bool opened, has_data;
    uint64_t data_device, data_inode; /* the store's folder */
};

/* `path`: the setting; "": ERR_PERMISSION_DENIED naming it. `data`: the store's folder.
 * ERR_UNAVAILABLE when there is no such directory. */
ERR_MUST_CHECK enum err_code api_root_open(const char *path, const char *data, struct api_root *out,
                                           struct err *err);
void api_root_drop(struct api_root *root); /* a zeroed one is fine */

/* A name in a directory below the root. Owned: api_place_drop. */
struct api_place {
    const struct api_root *root; /* borrowed */
    int folder;
    bool opened;
    char name[API_ROOT_NAME_BYTES_MAX + 1]; /* "": the directory itself */
};

/* Where `path` leads; its last component may be missing, and is not looked at. `create`:
 * directories on the way are made. "." is the root; a '/' at the end is passed over.
 * ERR_INVALID_ARGUMENT: what is no legal path, or leads through what is no directory;
 * ERR_NOT_FOUND. */
ERR_MUST_CHECK enum err_code api_root_find(const struct api_root *root, const char *path,
                                           bool create, struct api_place *out, struct err *err);
/* The same from a directory below the root. `place` is a directory itself: its name is "". */
ERR_MUST_CHECK enum err_code api_place_find(const struct api_place *place, const char *path,
                                            bool create, struct api_place *out, struct err *err);
void api_place_drop(struct api_place *place);

enum api_place_kind { API_PLACE_NOTHING, API_PLACE_FILE, API_PLACE_FOLDER };
/* What is there. ERR_INVALID_ARGUMENT: something else, a symbolic link too. */
ERR_MUST_CHECK enum err_code api_place_look(const struct api_place *place, enum api_place_kind *out,
                                            struct err *err);
/* The directory that is there becomes the place. */
ERR_MUST_CHECK enum err_code api_place_enter(struct api_place *place, struct err *err);
/* Opens file `name` beside the place for reading: the caller closes out->descriptor. ERR_NOT_FOUND,
 * ERR_INVALID_ARGUMENT when it is no file. Never waits for anybody. */
ERR_MUST_CHECK enum err_code api_place_open_file(const struct api_place *place, const char *name,
                                                 struct api_file *out, struct err *err);

#endif
