//! Each provider as the guide says: what stands between the braces stands in the chapter on providers, which a test holds.

use serde_json::Value;

use crate::jwt::{Issuer, JwksCache, JwtBuildError, JwtBuilder};
use crate::{Authenticator, Code, Grant, Rejection};

type Tokens = JwtBuilder<Value>;

/// The customers of a server that serves many tenants.
const CUSTOMERS: [&str; 2] = [
    "9188040d-6c67-4c5b-b112-36a304b66dad",
    "72f988bf-86f1-41af-91ab-2d7cd011db47",
];

pub(super) fn auth0(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://tenant.eu.auth0.com/").key_source(keys);
    tokens
        .issuer(issuer)
        .audience("https://chat.example/api")
        .build()
}

pub(super) fn keycloak(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://id.example/realms/chat").key_source(keys);
    tokens.issuer(issuer).audience("chat").build()
}

pub(super) fn cognito(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE";
    let issuer = Issuer::new(pool).key_source(keys);
    let jwt = tokens.issuer(issuer).any_audience().build()?;
    Ok(jwt.check(|grant: Grant<Value>| async move {
        let (used_as, app) = (
            &grant.identity()["token_use"],
            &grant.identity()["client_id"],
        );
        let is_ours = *used_as == "access" && *app == "57cbishk4j24pabc1234567890";
        is_ours
            .then_some(grant)
            .ok_or_else(|| Code::InvalidToken.into())
    }))
}

pub(super) fn entra_v1(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let tenant = "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/";
    let issuer = Issuer::new(tenant).key_source(keys);
    let tokens = tokens.issuer(issuer).audience("api://chat");
    tokens.subject_claim("oid").build()
}

pub(super) fn entra_v2(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let tenant = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    let issuer = Issuer::new(tenant).key_source(keys);
    let tokens = tokens.issuer(issuer);
    let tokens = tokens.audience("6e74172b-be56-4843-9ff4-e66a39bb12e3");
    tokens.subject_claim("oid").build()
}

pub(super) fn entra_multi_tenant(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let tokens = tokens.any_issuer().key_source(keys);
    let tokens = tokens.audience("6e74172b-be56-4843-9ff4-e66a39bb12e3");
    let jwt = tokens.subject_claim("oid").build()?;
    Ok(jwt.check(|grant: Grant<Value>| async move {
        let tenant = grant.identity()["tid"].as_str().unwrap_or_default();
        let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
        let is_ours = CUSTOMERS.contains(&tenant) && grant.issuer() == Some(&*issuer);
        is_ours
            .then_some(grant)
            .ok_or_else(|| Code::InvalidToken.into())
    }))
}

pub(super) fn google(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://accounts.google.com").key_source(keys.clone());
    let older = Issuer::new("accounts.google.com").key_source(keys);
    let tokens = tokens.issuer(issuer).issuer(older);
    let app = "1234987819200.apps.googleusercontent.com";
    let jwt = tokens.audience(app).build()?;
    Ok(jwt.check(|grant: Grant<Value>| async move {
        let is_ours = grant.identity()["hd"] == "example.com";
        is_ours
            .then_some(grant)
            .ok_or_else(|| Code::InvalidToken.into())
    }))
}

pub(super) fn firebase(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://securetoken.google.com/chat-4711").key_source(keys);
    tokens.issuer(issuer).audience("chat-4711").build()
}

pub(super) fn firebase_session(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://session.firebase.google.com/chat-4711").key_source(keys);
    tokens.issuer(issuer).audience("chat-4711").build()
}

pub(super) fn okta(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://dev-1234.okta.com/oauth2/default").key_source(keys);
    let tokens = tokens.issuer(issuer).audience("api://default");
    tokens.subject_claim("uid").build()
}

pub(super) fn supabase(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let project = "https://abcdefghijklmnopqrst.supabase.co/auth/v1";
    let issuer = Issuer::new(project).key_source(keys);
    let jwt = tokens.issuer(issuer).audience("authenticated").build()?;
    Ok(jwt.check(|grant: Grant<Value>| async move {
        let session = grant.identity()["session_id"].as_str().map(str::to_owned);
        Ok::<_, Rejection>(match session {
            Some(id) => grant.with_session_id(id),
            None => grant,
        })
    }))
}

pub(super) fn supabase_secret(
    tokens: Tokens,
    secret: &str,
) -> Result<impl Authenticator<Identity = Value> + use<>, JwtBuildError> {
    let project = "https://abcdefghijklmnopqrst.supabase.co/auth/v1";
    let tokens = tokens.hs256(secret).issuer(project);
    tokens.audience("authenticated").build()
}

pub(super) fn clerk(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://happy-ant-12.clerk.accounts.dev").key_source(keys);
    let jwt = tokens.issuer(issuer).any_audience().build()?;
    Ok(jwt.check(|grant: Grant<Value>| async move {
        let (page, state) = (&grant.identity()["azp"], &grant.identity()["sts"]);
        let is_ours = *page == "https://app.example" && *state != "pending";
        is_ours
            .then_some(grant)
            .ok_or_else(|| Code::InvalidToken.into())
    }))
}

pub(super) fn zitadel(
    tokens: Tokens,
    keys: JwksCache,
) -> Result<impl Authenticator<Identity = Value>, JwtBuildError> {
    let issuer = Issuer::new("https://chat-abcdef.zitadel.cloud").key_source(keys);
    tokens.issuer(issuer).audience("268901234567890123").build()
}
