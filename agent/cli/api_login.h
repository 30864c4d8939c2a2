/* How this client proves who it is, and whom it believes: files that flags name, or the
 * environment.
 *
 *     --token-file  HORDELET_TOKEN_FILE    a bearer token
 *     --cert-file   HORDELET_CERT_FILE     a client certificate, in PEM, with its chain
 *     --key-file    HORDELET_KEY_FILE      its key
 *     --ca-file     HORDELET_CA_FILE       who vouches for the agent; else whom the system trusts
 *
 * The token is read for each request: one that is replaced while a verb follows something counts
 * from then on. */
#ifndef AGENT_CLI_API_LOGIN_H
#define AGENT_CLI_API_LOGIN_H

#include <stdbool.h>

#include "agent/core/error.h"

/* Borrowed from argv and the environment; NULL: not given. */
struct api_login {
    const char *token_file, *cert_file, *key_file, *ca_file;
};

/* What is not given is taken from the environment. */
void api_login_find(struct api_login *login);
bool api_login_is_given(const struct api_login *login); /* any of it */
/* Sets what a request needs; curl is a CURL. tls: the request goes over https. -1: the token cannot
 * be read. */
int api_login_use(const struct api_login *login, void *curl, bool tls, struct error *err);

#endif
