export declare const loadSdl: () => string
