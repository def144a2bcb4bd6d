/* `tensorkeep token`: a new random token, and its line for the tokens file. */
#ifndef API_GUARD_TOKEN_COMMAND_H
#define API_GUARD_TOKEN_COMMAND_H

#include <stdio.h>

#include "store/base/err.h"

/* `argv` without the program's name and the word token. Writes the token, and the line unless it
 * went into the file that was named. Nothing is written when it fails. */
ERR_MUST_CHECK enum err_code api_token_command(int argc, char **argv, FILE *out, struct err *err);

#endif
