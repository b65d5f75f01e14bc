//! Tokens that are good, and the public halves of the keys that signed them; the private ones are gone.

use headwater_model::proto::api::{SigningKey, TokenRulesResponse};

const TOKENS: [&str; 3] = [
    "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImtleV9lZCJ9.eyJzdWIiOiJwYl9hYWFhYWFhYWFhYWFhYWFhYWFhYWF\
     hYWEiLCJhdWQiOlsidiIsIngiXSwiZXhwIjoxODAwMDAzNjAwLCJuYmYiOjE3OTk5OTkwMDAsImlhdCI6MTc5OTk5OTAwMCwianR\
     pIjoib25jZSIsInZpZXdlcl9pZCI6ImFkYSIsImNvdW50cmllcyI6WyJERSJdLCJvcmlnaW5zIjpbImh0dHBzOi8vZXhhbXBsZS5\
     jb20iXSwiaXBzIjpbIjEwLjAuMC4wLzgiLCI6OjEvMTI4Il0sImRvd25sb2FkYWJsZSI6dHJ1ZX0.8lUyCw8Juev0UbS1NO_va4a\
     Pjrlh15n3bKJEqz5LkR6qXVcD5Qmhz30aoePHjKb2fFK6HE-iu80fF7qNqrKOAg",
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImtleV9lcyJ9.eyJzdWIiOiJwYl9hYWFhYWFhYWFhYWFhYWFhYWFhYWF\
     hYWEiLCJhdWQiOiJ2IiwiZXhwIjoxODAwMDAzNjAwLCJraWQiOm51bGx9.P2RKJIIzESHUtDL1sSo2ZvWuR9LKi_WWF40kW4_jHM\
     qxNG_4Tthi4mkIH-dyru9hxwuTO8uKvkUoeiR_UhdyDg",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwYl9hYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWEiLCJhdWQiOiJ2Iiw\
     iZXhwIjoxODAwMDAzNjAwLCJraWQiOiJrZXlfcnMifQ.Veifi2nKj9DtDZBE9zVEAS-957rkgU6owauaaa44_PCfGyVaYGom0OGg\
     zaqo0YEm-Lb8WPNU03tA1FTzNsTyZ1Gp8EbCDejZaspd5Fr3WHWRcN3xxtmdydurt_JCbODndR5Shaa7slnnlGAOJe7wmh4U7oIW\
     oDf428hPCLnmivIxuOS_srJzqUmLBI9bmIcoI1s3WL7eZMlAWD3_d3afhebqjxSz7K3ecCpumC9P6juuZ4oriYD7Uv0L9Z-iqczu\
     FTSEv9hBzOH-zgjSdlq2sZl229Jygr7_rq5OrIICZ7CbZnCbR-dQyVjzOjrLbeJGeeqdsSs1U84ksjIieNnFhg",
];

/// Id, algorithm and PEM.
const KEYS: [(&str, &str, &str); 3] = [
    (
        "key_ed",
        "EdDSA",
        "-----BEGIN PUBLIC KEY-----\n\
         MCowBQYDK2VwAyEA6lvYLTFisTYoPwkfbSiHuLzCUt/HD5jsUn9Yxhw4eFw=\n\
         -----END PUBLIC KEY-----\n",
    ),
    (
        "key_es",
        "ES256",
        "-----BEGIN PUBLIC KEY-----\n\
         MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/JR85+y4mgXZHWTSclrmSvUFE77N\n\
         /ZuAgfqrdX1hcr6/XI1tNtFV7tKUlsK88OljamdtsPZzXeiMosL7YuOSRQ==\n\
         -----END PUBLIC KEY-----\n",
    ),
    (
        "key_rs",
        "RS256",
        "-----BEGIN PUBLIC KEY-----\n\
         MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA6ANcDWLq3QvgYw9VMs/P\n\
         eCKp7EH5cpAqxcCmGYwAEA3m02fhE15F1QtUHyaxfoaqN8eCt1XS4t87bxysxsKi\n\
         JEtWBMs7mXUsqpXUjAyJPB6k8bsys1MEl6dBf5z5A0uZn9iV++PHYIitnEY04XBD\n\
         EHfwUbIGWfReS337dRTO0+A3WPDIQmRls4y2Xs/eVut7UPs+3O6fOMaexJoCESbR\n\
         rQXPsnRX6DPY+S8AloTRQm8RNJHR6mM94KUSiGDclk4wzNbDwGDvkQOP2lkGThRD\n\
         41LfQY8ZfTsv+Y9OOait7YzWEYDOUW5VDF+bHYVqxPaoGVqUh8U45hBAevBVOB4V\n\
         IwIDAQAB\n\
         -----END PUBLIC KEY-----\n",
    ),
];

/// Good tokens, and the beginnings of what an attacker makes of them.
pub fn tokens() -> Vec<Vec<u8>> {
    let unsigned = [
        // {"alg":"none"}, and HS256 under the name of a tenant's key and of the farm's own.
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwYl9hIiwiZXhwIjoxfQ.",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtleV9lZCJ9.eyJzdWIiOiJwYl9hIiwiZXhwIjoxfQ.AAAA",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImhlYWR3YXRlci1zZXNzaW9uIn0.eyJzdWIiOiJwYl9hIiwiZXhwIjoxfQ.AAAA",
    ];
    TOKENS
        .iter()
        .chain(&unsigned)
        .map(|token| token.as_bytes().to_vec())
        .collect()
}

/// What the api would say of the keys.
pub(super) fn rules() -> TokenRulesResponse {
    let keys = KEYS.iter().map(|(id, algorithm, pem)| SigningKey {
        signing_key_id: (*id).to_owned(),
        algorithm: (*algorithm).to_owned(),
        public_key: (*pem).to_owned(),
    });
    TokenRulesResponse {
        version: "1".into(),
        keys: keys.collect(),
        ..TokenRulesResponse::default()
    }
}

/// Paths and queries of every kind.
pub fn paths() -> Vec<Vec<u8>> {
    let playback = "pb_aaaaaaaaaaaaaaaaaaaaaaaa";
    let broadcast = format!("{playback}/br_aaaaaaaaaaaaaaaaaaaaaaa7");
    [
        format!("/t/a.b.c/{playback}/main.m3u8"),
        format!("/{playback}/dvr.m3u8?_HLS_msn=1&token=a.b.c"),
        format!("/t/a.b.c/{broadcast}/720p60/12-3.4.m4s"),
        format!("/{broadcast}/source/init-0.mp4"),
        format!("/{broadcast}/source/12.m4s"),
        format!("/{broadcast}/download.mp4"),
        "/player/hls.min.js".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
