/* A whole server on a port of its own, for the tests of the HTTP edge. */
#ifndef TESTS_UNIT_API_SERVE_H
#define TESTS_UNIT_API_SERVE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/server.h"
#include "service/expr/recipe.h"
#include "service/service.h"
#include "service/settings.h"
#include "store/base/log.h"
#include "store/store.h"
#include "tests/support/http.h"
#include "tests/support/unit.h"

struct serve {
    char *directory;
    struct store *store;
    struct service *service;
    struct settings settings;
    struct api_server *server;
    uint16_t port;
};

static inline void
serve_check(enum err_code code, const struct err *err)
{
    if (code == OK)
        return;
    fprintf(stderr, "no server to test: %s\n", err->text);
    exit(EXIT_FAILURE);
}

/* Default settings, then `change` (may be NULL). */
static inline void
serve_start(struct serve *s, void (*change)(struct settings *settings))
{
    char program[] = "tensorkeep", flag[] = "--port=0", *arguments[] = {program, flag, NULL};
    struct store_config config;
    struct service_limits limits = service_limits_default();
    struct err err = ERR_INIT;
    bool help, version;

    log_set_level(LOG_ERROR);
    memset(s, 0, sizeof *s);
    serve_check(settings_read(2, arguments, &s->settings, &help, &version, &err), &err);
    if (change != NULL)
        change(&s->settings);
    s->directory = unit_temp_dir();
    config = store_config_default(s->directory);
    config.map_size_bytes = unit_map_bytes();
    config.force_file_system = true;
    config.recipe_make = recipe_make;
    serve_check(store_open(&config, &s->store, &err), &err);
    serve_check(service_open(s->store, &limits, &s->service, &err), &err);
    serve_check(api_server_start(s->service, &s->settings, &s->server, &err), &err);
    s->port = api_server_port(s->server);
}

static inline void
serve_stop(struct serve *s)
{
    api_server_stop(s->server);
    service_close(s->service);
    store_close(s->store);
    unit_temp_dir_remove(s->directory);
    memset(s, 0, sizeof *s);
}

static inline void
serve_expect_header(const struct http_reply *reply, const char *name, const char *value)
{
    char text[512];

    assert_string_equal(http_header(reply, name, text, sizeof text), value);
}

#endif
