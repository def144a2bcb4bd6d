/* Whether the server that these settings are of takes requests, asked by the program itself: for
 * containers, in which there is nothing else to ask with. */
#ifndef SERVICE_COMMAND_COMMAND_HEALTH_H
#define SERVICE_COMMAND_COMMAND_HEALTH_H

#include "service/command/command.h"

/* GET /readyz at the address and port of the settings: OK when the answer is 200. A server with TLS
 * is only connected to: the certificate is for other names than its address. */
command_run command_health;

#endif
