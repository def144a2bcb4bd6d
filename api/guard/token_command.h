/* `tensorkeep token`: a new random token, and its line for the tokens file. */
#ifndef API_GUARD_TOKEN_COMMAND_H
#define API_GUARD_TOKEN_COMMAND_H

#include "service/command/command.h"

/* Of the words behind its name. Writes the token, and the line unless it went into the file that
 * was named. Nothing is written when it fails. */
command_run api_token_command;

#endif
