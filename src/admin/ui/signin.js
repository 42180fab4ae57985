// Asks for the admin token, once at a time. It is kept for this tab only and sent to this listener only.

import { asked } from "./dialog.js";
import { hasToken, keepToken } from "./api.js";

let asking = false;

export async function signIn(done) {
  if (asking) return;
  asking = true;
  const again = hasToken();
  keepToken(null);
  await asked({
    title: "Sign in",
    text: again ? "The gateway does not know this token. Enter the one of [admin] in its configuration." : "This gateway asks for its admin token: the one of [admin] in its configuration. It is kept until this tab is closed.",
    fields: [{ name: "token", label: "Admin token", type: "password", required: true }],
    action: "Sign in",
    act: async ({ token }) => {
      const response = await fetch("/api/routes", { headers: { authorization: `Bearer ${token}` }, cache: "no-store" });
      if (response.status === 401) throw new Error("The gateway does not know this token.");
      asking = false;
      done(token);
    },
  });
  asking = false;
}
