/* What --version and GET /v1 say. */
#ifndef SERVICE_VERSION_H
#define SERVICE_VERSION_H

static const char service_version[] = "0.1.0";

#endif
