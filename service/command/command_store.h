/* The commands that work on a data folder no server has open. */
#ifndef SERVICE_COMMAND_COMMAND_STORE_H
#define SERVICE_COMMAND_COMMAND_STORE_H

#include "service/command/command.h"

/* A file that does not exist yet gets its name when it is whole and on disk. */
command_run command_backup;
/* The folder gets all of a backup that passes the full check, or nothing. */
command_run command_restore_backup;
/* ERR_DATA_LOSS when something is found, after all of it was told. */
command_run command_verify;
/* The new files are checked before they take the old ones' place, all at once. */
command_run command_compact;

#endif
