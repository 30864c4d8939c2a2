/* TLS 1.3 for the API, on GnuTLS: which certificate is shown, and whom a client's certificate
 * names.
 *
 * libmicrohttpd makes the session and shakes hands; it neither verifies clients nor changes its
 * certificate while it runs. Both are done here: tls_session_begin is called for each session
 * before its handshake, tls_session_client after it.
 *
 * A client is who its certificate names: the common name (CN) is its name, each organization (O) of
 * the form hordelet:ROLE or hordelet:ROLE:NAMESPACE (api_access.h) grants a role, other
 * organizations mean nothing. It must be one for clients (extended key usage clientAuth, or none at
 * all), lead to a CA of --api-ca, be valid now, and not be in a revocation list of that file.
 *
 * A tls is a value that is not changed, but replaced: each session keeps the one with which it
 * began. */
#ifndef AGENT_IO_API_TLS_H
#define AGENT_IO_API_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "agent/codec/api_access.h"

enum {
    TLS_FILE_BYTES_MAX = 256 * 1024,
    TLS_CHAIN_MAX = 8,        /* certificates that are shown */
    TLS_CLIENT_CHAIN_MAX = 8, /* ... and taken */
    TLS_AUTHORITIES_MAX = 64,
};

/* Nothing older, and none of the ciphers without a need. */
#define TLS_PRIORITIES                                        \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM:" \
    "+CHACHA20-POLY1305:+AES-128-GCM"

struct tls;

/* With one reference. ca "": clients are not asked for certificates. err names the flag and the
 * file. */
int tls_load(struct tls **ret_tls, const char *cert, const char *key, const char *ca,
             struct error *err);
struct tls *tls_keep(struct tls *tls);        /* one reference more; NULL is fine */
void tls_release(struct tls *tls);            /* one less */
uint64_t tls_until_ms(const struct tls *tls); /* when the certificate that is shown ends */

/* What a session has of ours. It does not move before tls_session_end. */
struct tls_session {
    struct tls *tls;
    bool finished; /* the client has completed the handshake */
};

void tls_session_begin(gnutls_session_t session, struct tls *tls,
                       struct tls_session *ours); /* before the handshake */
void tls_session_end(struct tls_session *ours);   /* when it is gone; zeroed memory is fine */
/* For MHD_OPTION_HTTPS_CERT_CALLBACK2. */
int tls_session_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *asked,
                            gnutls_pcert_st **ret_chain, unsigned *ret_count,
                            gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                            gnutls_privkey_t *ret_key, unsigned *ret_flags);

enum tls_client {
    TLS_CLIENT_NONE, /* it has shown no certificate */
    TLS_CLIENT_GOOD,
    TLS_CLIENT_BAD, /* err says why */
};
/* Whom the client's certificate names, by the authorities of `tls`, which may be younger than the
 * session. *ret_until_ms: when the certificate ends. */
enum tls_client tls_session_client(gnutls_session_t session, const struct tls *tls,
                                   struct api_principal *ret_principal, uint64_t *ret_until_ms,
                                   struct error *err);

#endif
