/* What the API asks its clients for, from files that may change while the agent runs:
 *
 *     --api-cert, --api-key     TLS, with this certificate
 *     --api-ca                  client certificates of these authorities
 *     --api-token-file          bearer tokens
 *
 * The files are looked at every CREDENTIALS_LOOKED_AT_MS, and all read again CREDENTIALS_SETTLE_MS
 * after one of them has changed: certificate and key are rarely replaced in the same moment. What
 * cannot be used is complained of, and then what was there before is kept: the certificate with its
 * key and authorities is one such thing, the tokens are the other. */
#ifndef AGENT_IO_API_CREDENTIALS_H
#define AGENT_IO_API_CREDENTIALS_H

#include "agent/io/api_tls.h"
#include "agent/io/api_tokens.h"
#include "agent/io/loop.h"

enum { CREDENTIALS_LOOKED_AT_MS = 2000, CREDENTIALS_SETTLE_MS = 200 };

struct credentials_files {
    const char *cert, *key, *ca, *tokens; /* "": none */
};

struct credentials;

/* err names the flag or the file. Copies the names. Close and free in any case. */
int credentials_open(struct credentials **ret_credentials, struct loop *loop,
                     const struct credentials_files *files, struct error *err);
/* Called after each reading. */
void credentials_on_change(struct credentials *credentials, void (*changed)(void *context),
                           void *context);
void credentials_read_again(struct credentials *credentials); /* now, whatever has changed */
void credentials_close(
    struct credentials *credentials); /* its handles close while the loop settles */
void credentials_free(struct credentials *credentials); /* after that; NULL is fine */

struct tls *credentials_tls(const struct credentials *credentials); /* borrowed; NULL: none */
const struct api_tokens *credentials_tokens(const struct credentials *credentials);
/* Whether there is any way for a client to say who it is. If not, nobody is asked. */
bool credentials_are_wanted(const struct credentials *credentials);
uint64_t credentials_generation(
    const struct credentials *credentials); /* grows with each reading */

#endif
