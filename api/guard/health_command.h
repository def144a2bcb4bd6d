/* `tensorkeep health`: whether the server that these settings are of takes requests, asked by the
 * program itself: for containers, in which there is nothing else to ask with. */
#ifndef API_GUARD_HEALTH_COMMAND_H
#define API_GUARD_HEALTH_COMMAND_H

#include "service/command/command.h"

/* GET /readyz at the address and port of the settings, through TLS where they have a certificate:
 * OK when the answer is 200. The certificate is not verified: it is for names, and nothing secret
 * is sent to the address that is asked, which is this machine's own. */
command_run api_health_command;

#endif
