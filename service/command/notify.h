/* Telling the service manager how it goes (systemd, Type=notify): one datagram to the socket that
 * NOTIFY_SOCKET names. Without one nothing happens. */
#ifndef SERVICE_COMMAND_NOTIFY_H
#define SERVICE_COMMAND_NOTIFY_H

/* "READY=1", "STOPPING=1", "STATUS=…", one a line. What cannot be sent is logged: serving does not
 * depend on it. */
void notify_manager(const char *text);

#endif
