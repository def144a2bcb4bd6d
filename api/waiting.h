/* Requests that are answered when something has happened, or when their time is over. Meanwhile no
 * thread, no lock and no snapshot is theirs: the connection rests, and a worker looks again when
 * what they wait for may have happened (service_on_wake), at the end of their time, and when the
 * server stops. */
#ifndef API_WAITING_H
#define API_WAITING_H

#include "api/reply.h"

struct api_server;

enum { API_WAIT_SECONDS_MAX = 300 };

/* Prefer: wait=S (RFC 7240), at most API_WAIT_SECONDS_MAX, which Preference-Applied then says. 0:
 * not asked for. What cannot be read is passed over, as the RFC has it. */
ERR_MUST_CHECK enum err_code api_wait_preferred(struct api_request *rq, struct api_reply *rp,
                                                uint64_t *seconds, struct err *err);
/* At the end of a handler on a worker that has had its effect, or has none: what the reply says so
 * far is taken back, but for preferences, and `look` makes it. It is called at once and then again
 * and again, on a worker; as long as it makes no reply, the request waits. `context` lives as long
 * as the request. */
ERR_MUST_CHECK enum err_code api_wait_for(struct api_request *rq, struct api_reply *rp,
                                          uint64_t topic, uint64_t seconds, api_handler *look,
                                          const void *context, struct err *err);
/* The same for one that could not have its effect yet: `look` tries again, with the body that was
 * sent. */
ERR_MUST_CHECK enum err_code api_wait_to_act(struct api_request *rq, struct api_reply *rp,
                                             uint64_t topic, uint64_t seconds, api_handler *look,
                                             struct err *err);
bool api_waits(const struct api_request *rq); /* one of these was called */
/* Of those that wait to act on one topic: whether no earlier one does. */
bool api_wait_is_turn(const struct api_request *rq);
/* For `look`: the context; whether it must answer. */
const void *api_wait_context(const struct api_request *rq);
bool api_wait_is_over(const struct api_request *rq);
/* A reply 202 that was kept under an Idempotency-Key: who prefers to wait, waits again for what it
 * was about. */
api_handler api_wait_again;

/* --- for dispatch and server --------------------------------------------------------------- */

/* True: the request waits, and is not the caller's any more. False: look again. */
bool api_waiting_park(struct api_request *rq);
/* Its effect is committed, or it has none: its Idempotency-Key is free. */
bool api_waiting_has_acted(const struct api_request *rq);
/* It is answered. Fine for one that never waited. */
void api_waiting_leave(struct api_request *rq);
void api_waiting_wake(void *server, uint64_t topic); /* service_wake */
/* Those whose time is over are answered. */
void api_waiting_tick(struct api_server *server);
/* So are those whose client has left: the reply, or what comes of it, frees their connection. */
void api_waiting_check(struct api_server *server);
/* All are, and no other waits from now on. */
void api_waiting_end(struct api_server *server);

#endif
