/* See api_tls.h. */
#include "agent/io/api_tls.h"

#include <assert.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "agent/io/cleanup.h"
#include "agent/io/secret_file.h"

struct tls {
    unsigned references;
    gnutls_pcert_st chain[TLS_CHAIN_MAX];
    unsigned chain_count;
    gnutls_privkey_t key;
    gnutls_x509_trust_list_t authorities; /* NULL: no client is asked */
    uint64_t until_ms;
};

/* --- Files ------------------------------------------------------------------------------------ */

static int tls_fail(struct error *err, const char *path, int result)
{
    return error_set(err, ERROR_INVALID, "%s: %s", path, gnutls_strerror(result));
}

static int tls_take_chain(struct tls *tls, const gnutls_datum_t *text, const char *path,
                          struct error *err)
{
    gnutls_x509_crt_t chain[TLS_CHAIN_MAX];
    unsigned count = TLS_CHAIN_MAX;
    int result = gnutls_x509_crt_list_import(chain, &count, text, GNUTLS_X509_FMT_PEM,
                                             GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (result == GNUTLS_E_SHORT_MEMORY_BUFFER)
        return error_set(err, ERROR_INVALID, "%s: more than %d certificates", path, TLS_CHAIN_MAX);
    if (result < 0)
        return tls_fail(err, path, result);
    time_t until = gnutls_x509_crt_get_expiration_time(chain[0]);
    tls->until_ms = until > 0 ? (uint64_t)until * 1000 : 0;
    for (unsigned i = 0; i < count && result >= 0; i++) {
        result = gnutls_pcert_import_x509(&tls->chain[i], chain[i], 0);
        tls->chain_count += result >= 0;
    }
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    return result < 0 ? tls_fail(err, path, result) : 0;
}

/* Whether the key is that of the certificate: clients would only say that a signature is bad. */
static int tls_check_pair(const struct tls *tls, const char *cert, const char *key,
                          struct error *err)
{
    static const uint8_t text[] = "a key and its certificate";
    gnutls_datum_t message = {(unsigned char *)text, sizeof text}, signature = {NULL, 0};
    gnutls_pubkey_t public_key = tls->chain[0].pubkey;
    gnutls_digest_algorithm_t digest = GNUTLS_DIG_SHA256;
    gnutls_pubkey_get_preferred_hash_algorithm(public_key, &digest, NULL);
    int result = gnutls_privkey_sign_data(tls->key, digest, 0, &message, &signature);
    if (result >= 0)
        result = gnutls_pubkey_verify_data2(
            public_key, gnutls_pk_to_sign(gnutls_pubkey_get_pk_algorithm(public_key, NULL), digest),
            0, &message, &signature);
    gnutls_free(signature.data);
    if (result < 0)
        return error_set(err, ERROR_INVALID,
                         "%s is not the key of the first certificate in %s (or the two are being "
                         "replaced at this moment)",
                         key, cert);
    return 0;
}

static int tls_take_authorities(struct tls *tls, const gnutls_datum_t *text, const char *path,
                                struct error *err)
{
    bool lists = strstr((const char *)text->data, "-----BEGIN X509 CRL-----") != NULL;
    int result = gnutls_x509_trust_list_init(&tls->authorities, 0);
    if (result >= 0)
        result = gnutls_x509_trust_list_add_trust_mem(tls->authorities, text, lists ? text : NULL,
                                                      GNUTLS_X509_FMT_PEM, 0, 0);
    if (result < 0)
        return tls_fail(err, path, result);
    if (result == 0 || result > TLS_AUTHORITIES_MAX)
        return error_set(err, ERROR_INVALID, "%s: must hold 1 to %d certificates of authorities",
                         path, TLS_AUTHORITIES_MAX);
    return 0;
}

struct tls_text {
    char text[TLS_FILE_BYTES_MAX + 1];
    gnutls_datum_t datum;
};

static int tls_read(struct tls_text *ret_text, const char *path, bool secret, struct error *err)
{
    int result = secret_file_read(path, secret, ret_text->text, TLS_FILE_BYTES_MAX, err);
    ret_text->datum = (gnutls_datum_t){(unsigned char *)ret_text->text,
                                       result ? 0 : (unsigned)strlen(ret_text->text)};
    return result;
}

static int tls_take_key(struct tls *tls, const gnutls_datum_t *text, const char *path,
                        struct error *err)
{
    int result = gnutls_privkey_init(&tls->key);
    if (result >= 0)
        result = gnutls_privkey_import_x509_raw(tls->key, text, GNUTLS_X509_FMT_PEM, NULL, 0);
    return result < 0 ? tls_fail(err, path, result) : 0;
}

static int tls_fill(struct tls *tls, struct tls_text *text, const char *cert, const char *key,
                    const char *ca, struct error *err)
{
    if (tls_read(text, cert, false, err) || tls_take_chain(tls, &text->datum, cert, err))
        return error_wrap(err, "--api-cert");
    if (tls_read(text, key, true, err) || tls_take_key(tls, &text->datum, key, err) ||
        tls_check_pair(tls, cert, key, err))
        return error_wrap(err, "--api-key");
    if (*ca && (tls_read(text, ca, false, err) || tls_take_authorities(tls, &text->datum, ca, err)))
        return error_wrap(err, "--api-ca");
    return 0;
}

int tls_load(struct tls **ret_tls, const char *cert, const char *key, const char *ca,
             struct error *err)
{
    struct tls_text *text = xcalloc(1, sizeof *text);
    struct tls *tls = xcalloc(1, sizeof *tls);
    tls->references = 1;
    int result = tls_fill(tls, text, cert, key, ca, err);
    sodium_memzero(text, sizeof *text);
    free(text);
    if (result < 0)
        tls_release(tls);
    else
        *ret_tls = tls;
    return result;
}

struct tls *tls_keep(struct tls *tls)
{
    if (tls)
        tls->references++;
    return tls;
}

void tls_release(struct tls *tls)
{
    if (!tls || --tls->references > 0)
        return;
    for (unsigned i = 0; i < tls->chain_count; i++)
        gnutls_pcert_deinit(&tls->chain[i]);
    if (tls->key)
        gnutls_privkey_deinit(tls->key);
    if (tls->authorities)
        gnutls_x509_trust_list_deinit(tls->authorities, 1);
    free(tls);
}

uint64_t tls_until_ms(const struct tls *tls)
{
    return tls->until_ms;
}

/* --- Sessions --------------------------------------------------------------------------------- */

static int session_finished(gnutls_session_t session, unsigned type, unsigned when,
                            unsigned incoming, const gnutls_datum_t *message)
{
    struct tls_session *ours = gnutls_db_get_ptr(session);
    (void)type, (void)when, (void)message;
    ours->finished |= incoming;
    return 0;
}

/* GnuTLS keeps a pointer for the store of resumable sessions, which we do not have: it is a place
 * for what a session has of ours. The names of our authorities are not told: a client that has a
 * certificate of a new one would keep it to itself until it is told of that one. */
void tls_session_begin(gnutls_session_t session, struct tls *tls, struct tls_session *ours)
{
    *ours = (struct tls_session){.tls = tls_keep(tls)};
    gnutls_db_set_ptr(session, ours);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       session_finished);
    if (tls->authorities) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
        gnutls_certificate_send_x509_rdn_sequence(session, 1);
    }
}

void tls_session_end(struct tls_session *ours)
{
    tls_release(ours->tls);
    ours->tls = NULL;
}

int tls_session_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *asked,
                            gnutls_pcert_st **ret_chain, unsigned *ret_count,
                            gnutls_ocsp_data_st **ret_ocsp, unsigned *ret_ocsp_count,
                            gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    const struct tls_session *ours = gnutls_db_get_ptr(session);
    (void)asked;
    *ret_chain = ours->tls->chain;
    *ret_count = ours->tls->chain_count;
    *ret_key = ours->tls->key;
    *ret_ocsp = NULL;
    *ret_ocsp_count = *ret_flags = 0;
    return 0;
}

/* --- Clients ---------------------------------------------------------------------------------- */

/* A part of the subject; false: there are no more. Of one that is too long *bytes is 0. */
static bool subject_get(gnutls_x509_crt_t client, const char *oid, unsigned index, char *text,
                        size_t *bytes)
{
    int result = gnutls_x509_crt_get_dn_by_oid(client, oid, index, 0, text, bytes);
    if (result < 0)
        *bytes = 0;
    return result >= 0 || result == GNUTLS_E_SHORT_MEMORY_BUFFER;
}

static int client_name(gnutls_x509_crt_t client, struct api_principal *principal, struct error *err)
{
    static const char prefix[] = "hordelet:";
    char text[256];
    size_t bytes = sizeof text;
    subject_get(client, GNUTLS_OID_X520_COMMON_NAME, 0, text, &bytes);
    if (!api_principal_set_name(principal, span_of(text, bytes)))
        return error_set(err, ERROR_INVALID,
                         "its common name is missing, longer than %d characters, or has blanks",
                         API_USER_BYTES_MAX);
    for (unsigned i = 0;; i++) {
        struct api_grant grant;
        struct error ignored = {0};
        bytes = sizeof text;
        if (!subject_get(client, GNUTLS_OID_X520_ORGANIZATION_NAME, i, text, &bytes))
            return 0;
        size_t prefix_bytes = sizeof prefix - 1;
        if (bytes <= prefix_bytes || memcmp(text, prefix, prefix_bytes) != 0 ||
            api_grant_parse(&grant, span_of(text + prefix_bytes, bytes - prefix_bytes), &ignored))
            continue; /* a CA serves others too, with names of their own */
        if (!api_principal_add(principal, &grant))
            return error_set(err, ERROR_INVALID, "it has more than %d roles", API_GRANTS_MAX);
    }
}

static int client_verify(const struct tls *tls, gnutls_x509_crt_t *chain, unsigned count,
                         struct error *err)
{
    gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
                                     (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
    unsigned status = 0;
    gnutls_datum_t text = {NULL, 0};
    int result = gnutls_x509_trust_list_verify_crt2(tls->authorities, chain, count, &purpose, 1,
                                                    GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM),
                                                    &status, NULL);
    if (result >= 0 && status == 0)
        return 0;
    if (result >= 0)
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
    error_set(err, ERROR_INVALID, "%s",
              text.data ? (const char *)text.data : gnutls_strerror(result));
    gnutls_free(text.data);
    return -1;
}

/* How many of the certificates could be read. */
static unsigned client_import(gnutls_x509_crt_t *chain, const gnutls_datum_t *shown, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (gnutls_x509_crt_init(&chain[i]) < 0)
            return i;
        if (gnutls_x509_crt_import(chain[i], &shown[i], GNUTLS_X509_FMT_DER) < 0) {
            gnutls_x509_crt_deinit(chain[i]);
            return i;
        }
    }
    return count;
}

enum tls_client tls_session_client(gnutls_session_t session, const struct tls *tls,
                                   struct api_principal *ret_principal, uint64_t *ret_until_ms,
                                   struct error *err)
{
    gnutls_x509_crt_t chain[TLS_CLIENT_CHAIN_MAX];
    unsigned count = 0;
    const gnutls_datum_t *shown = gnutls_certificate_get_peers(session, &count);
    *ret_principal = (struct api_principal){0};
    if (!shown || count == 0 || !tls->authorities)
        return TLS_CLIENT_NONE;
    if (count > TLS_CLIENT_CHAIN_MAX) {
        error_set(err, ERROR_INVALID, "it comes with more than %d others",
                  TLS_CLIENT_CHAIN_MAX - 1);
        return TLS_CLIENT_BAD;
    }
    unsigned read = client_import(chain, shown, count);
    int result = -1;
    if (read < count) {
        error_set(err, ERROR_INVALID, "it cannot be read");
    } else {
        result = client_verify(tls, chain, count, err) || client_name(chain[0], ret_principal, err);
        time_t until = gnutls_x509_crt_get_expiration_time(chain[0]);
        *ret_until_ms = until > 0 ? (uint64_t)until * 1000 : 0;
    }
    while (read > 0)
        gnutls_x509_crt_deinit(chain[--read]);
    return result == 0 ? TLS_CLIENT_GOOD : TLS_CLIENT_BAD;
}
