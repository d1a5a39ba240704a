/**
 * Whole exchanges of SCRAM. The first is that of RFC 7677, 3; the second, with SHA-512, was computed by another program (Python's
 * hashlib and hmac), which gives the first one, too.
 */
export const VECTORS = [
  {
    method: 'SCRAM-SHA-256',
    password: 'pencil',
    verifier:
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    clientFirst: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    serverFirst: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    clientFinal:
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    serverFinal: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
  {
    method: 'SCRAM-SHA-512',
    password: 'pencil',
    verifier:
      'SCRAM-SHA-512$4096:Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=$ERxGuwQnAHA2amc01Vb1Qb9WPqMb68u8swldhuOn4MR7udux+oQ/DNrgcAy5c0/SEZybLeGYZ5jFkWH5ELNOXA==:gFCGdO8qeAVvqKCfFpqPXI2n2596CVtax0k6IH3gzt94xA9+DgAD6NwrELJ0AjguZNc0dWJxduOe037HEcD1UA==',
    serverNonce: 'BVp3Cb3wlG8SxPV0uJrL9aPP',
    clientFirst: 'n,,n=user,r=hb7JgAqhOd9eNMcRJCbgNKhl',
    serverFirst:
      'r=hb7JgAqhOd9eNMcRJCbgNKhlBVp3Cb3wlG8SxPV0uJrL9aPP,s=Yin2FuHTt/M0kJWb0t9OI32n2VmOGi3m+JfjOvuDF88=,i=4096',
    clientFinal:
      'c=biws,r=hb7JgAqhOd9eNMcRJCbgNKhlBVp3Cb3wlG8SxPV0uJrL9aPP,p=pnCwewLwtpXcG9QmnXiIM9FIIW4c4sUYO2yuVgpqSajCUzdcERM4+XwciP7VJ4nJ/U2C74B0qCIeuMu0pqY6zQ==',
    serverFinal: 'v=2X1ah2jalzSuNtOyEVimOAjQ0h1qjnY90f5syJCVGEeW0mw0wMV3G3qhw46C0X2GBA0nakEjtMDae/Rjrdz2QQ==',
  },
] as const;
