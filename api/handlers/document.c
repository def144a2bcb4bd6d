/* The description of this API for machines, GET /openapi.yaml and /openapi.json, and for people,
 * GET /docs. All are in the program, packed too, made by the build from openapi/openapi.yaml. */
#include "api/handlers/handlers.h"
#include "api/http/negotiate.h"
#include "api/http/pack.h"
#include "api/state.h"
#include "store/base/crc32c.h"

/* The assembler puts a file of the build into read-only data, between two names. */
#define EMBED(name, file)                                                                          \
    __asm__(".section .rodata\n" #name "_begin:\n.incbin \"" file "\"\n" #name                     \
            "_end:\n.byte 0\n.previous\n");                                                        \
    extern const uint8_t name##_begin[], name##_end[]

EMBED(yaml, "openapi.yaml");
EMBED(yaml_gz, "openapi.yaml.gz");
EMBED(json, "openapi.json");
EMBED(json_gz, "openapi.json.gz");
EMBED(docs, "docs.html");
EMBED(docs_gz, "docs.html.gz");

#define EMBEDDED(name) bytes_of(name##_begin, (size_t)(name##_end - name##_begin))

/* Its entity tag is made of its checksum: the document is another one with another build only. The
 * packed form was made by the build, as api/http/pack.h makes those of other replies. */
static enum err_code
reply_document(struct api_request *rq, struct api_reply *rp, const char *media_type,
               struct bytes whole, struct bytes packed, struct err *err)
{
    bool gzip = api_negotiate_gzip(rq, rp), done = false;
    char etag[API_ETAG_BYTES_MAX];

    TRY(api_reply_etag(rq, rp, crc32c(0, whole.data, whole.size), "openapi", &done, err));
    if (done)
        return OK;
    if (!gzip || !api_pack_etag(rp->etag, etag, sizeof etag))
        return api_reply_static(rp, 200, media_type, whole, err);
    memcpy(rp->etag, etag, sizeof etag);
    TRY(api_reply_header(rp, "Content-Encoding", err, "gzip"));
    return api_reply_static(rp, 200, media_type, packed, err);
}

enum err_code
api_document_yaml(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return reply_document(rq, rp, "application/yaml", EMBEDDED(yaml), EMBEDDED(yaml_gz), err);
}

enum err_code
api_document_json(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return reply_document(rq, rp, "application/json", EMBEDDED(json), EMBEDDED(json_gz), err);
}

enum err_code
api_document_page(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return reply_document(rq, rp, "text/html; charset=utf-8", EMBEDDED(docs), EMBEDDED(docs_gz),
                          err);
}
