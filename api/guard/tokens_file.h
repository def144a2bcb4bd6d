/* The tokens file, as it was when it was last read well. Any thread. */
#ifndef API_GUARD_TOKENS_FILE_H
#define API_GUARD_TOKENS_FILE_H

#include "api/guard/tokens.h"

struct api_tokens_file;

/* Reads it: mode 0600 or less, ours or root's, as the errors say. Owned by the caller. */
ERR_MUST_CHECK enum err_code api_tokens_file_open(const char *path, struct api_tokens_file **out,
                                                  struct err *err);
void api_tokens_file_drop(struct api_tokens_file *file); /* NULL is fine */
/* Reads it again. On failure the tokens stay as they were. */
ERR_MUST_CHECK enum err_code api_tokens_file_reload(struct api_tokens_file *file, struct err *err);
/* What it holds now. Released with api_tokens_drop. */
struct api_tokens *api_tokens_file_hold(struct api_tokens_file *file);

/* One more line at its end, as `tensorkeep token` does; makes the file with mode 0600 when there is
 * none. What is there is checked with the line before anything is written. The file is replaced by
 * a whole one, never changed in place. */
ERR_MUST_CHECK enum err_code api_tokens_file_add(const char *path, const char *line,
                                                 struct err *err);

#endif
