// Uploads one file with tus-js-client, unchanged, and prints as one line of JSON what it sent and heard. No faults, no checks.
// node upload.mjs '{"endpoint": …, "path": …, "sha256": …, "token": …, "chunkSize": …, "withCreation": true|false}'
import { createReadStream, statSync } from "node:fs";
import { Upload } from "tus-js-client";

const told = JSON.parse(process.argv[2]);
const said = { sent: [], heard: [], error: null, url: null };

await new Promise((resolve) => {
  const upload = new Upload(createReadStream(told.path), {
    endpoint: told.endpoint,
    uploadSize: statSync(told.path).size,
    chunkSize: told.chunkSize,
    retryDelays: [0, 50, 100, 200, 400],
    headers: { Authorization: `Bearer ${told.token}` },
    metadata: { sha256: told.sha256, mime: "image/jpeg" },
    uploadDataDuringCreation: told.withCreation,
    onBeforeRequest: (request) => {
      said.sent.push([request.getMethod(), Number(request.getHeader("Upload-Offset") ?? 0)]);
    },
    onAfterResponse: (request, answer) => {
      said.heard.push([request.getMethod(), answer.getStatus(), Number(answer.getHeader("Upload-Offset") ?? -1)]);
    },
    onError: (error) => {
      said.error = String(error);
      resolve();
    },
    onSuccess: resolve,
  });
  upload.start();
  said.upload = upload;
});

said.url = said.upload.url;
delete said.upload;
console.log(JSON.stringify(said));
