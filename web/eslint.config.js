import eslint from "@eslint/js";
import tseslint from "typescript-eslint";
import vue from "eslint-plugin-vue";

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "e2e/shots/"] },
  eslint.configs.recommended,
  ...tseslint.configs.strict,
  ...vue.configs["flat/recommended"],
  {
    files: ["**/*.vue"],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
  },
  {
    rules: {
      // The type checker knows the browser's names better.
      "no-undef": "off",
      "@typescript-eslint/no-explicit-any": "error",
      "max-lines-per-function": ["error", { max: 80, skipBlankLines: true, skipComments: true }],
      "max-params": ["error", 5],
      // What the gateway sends is text: it never becomes markup.
      "vue/no-v-html": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text from the line never becomes markup." },
        { property: "outerHTML", message: "Text from the line never becomes markup." },
        { property: "insertAdjacentHTML", message: "Text from the line never becomes markup." },
      ],
      // The policy of the gateway forbids style attributes in markup.
      "vue/no-static-inline-styles": ["error", { allowBinding: true }],
      "vue/max-attributes-per-line": "off",
      "vue/singleline-html-element-content-newline": "off",
      "vue/html-self-closing": ["error", { html: { void: "always" } }],
    },
  },
  {
    files: ["test/**", "e2e/**"],
    rules: { "max-lines-per-function": "off" },
  },
);
