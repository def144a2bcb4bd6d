/* Whose a data folder is: root works in it as its owner, so that the server of that user can open
 * everything a command leaves there, and no more happens to files of others than that user could
 * do. */
#ifndef SERVICE_COMMAND_COMMAND_USER_H
#define SERVICE_COMMAND_COMMAND_USER_H

#include "store/base/err.h"

/* Does nothing unless we are root and the folder is there and somebody else's. The process, all its
 * threads. */
ERR_MUST_CHECK enum err_code command_user_take(const char *folder, struct err *err);
/* Root again, where command_user_take made it another. */
ERR_MUST_CHECK enum err_code command_user_give_back(struct err *err);

#endif
