/* Files of a layout as files of a directory: all of them, or none. */
#ifndef API_FILE_FOLDER_WRITE_H
#define API_FILE_FOLDER_WRITE_H

#include "api/file/root.h"
#include "api/wire/layout.h"

struct api_folder_options {
    bool overwrite; /* what is there is replaced; else ERR_ALREADY_EXISTS */
    /* What the directory's file "checkpoint" is to name as its latest; NULL: it is left alone. One
     * that cannot be read is an error, unless `overwrite`. */
    const char *latest;
};

/* Writes the files into the place's directory, under the names they have in the layout. They are
 * written whole under other names, synced, and then renamed: the last of the layout last. After an
 * error nothing new is left, unless it happened while existing files were being replaced. Texts of
 * `latest` go into the arena of the layout. */
ERR_MUST_CHECK enum err_code api_folder_write(const struct api_place *place,
                                              const struct api_layout *files,
                                              const struct api_folder_options *options,
                                              struct err *err);

#endif
